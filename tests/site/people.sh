# shellcheck shell=bash
# people.sh - a session that reads and one that writes; the database is the one of the run.

people_rows() {
	local id
	row GET /people/1 '' 200 '={"id":1,"name":"Ada Lovelace","email":"ada@example.org"}'
	row GET /people/99 '' 404 nobody
	row GET /people/x '' 404 'nothing is served'
	row POST /people '{"name":"Edsger","email":"'"$front"'@example.org"}' 201 '"name":"Edsger"'
	id=$(header Location)
	check_like "Location" "$id" '/people/[1-9]*'
	row GET "$id" '' 200 '"email":"'"$front"'@example.org"}'
	check "the row is there" \
		"$(query "select name from users where '/people/' || id = '$id'")" Edsger
	row POST /people '{"name":"Edsger","email":"'"$front"'@example.org"}' 409 \
		"$(at /email 'exists already')"
	row POST /people '{"name":""}' 422 "$(at /name 'must be at least 1 ')" \
		"$(at /email 'is required')"
}
