#!/bin/bash
# What README.md shows is built by README.md's own command and run: its program says what README.md
# says it does, and its functions do what their comments claim (readme.c calls each of them).
server=${ATHANOR_TEST_URL-}
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

tree=$PWD
shown=$work/readme # as if the reader had copied it, in a clone of the repository
mkdir "$shown"
ln -s "$tree/lib" "$shown/lib"
ln -s "$build" "$shown/build"

if [ -z "$server" ]; then
	trap 'sql/cluster.sh remove "$work/pg"; clean_up' EXIT
	sql/cluster.sh start "$work/pg" || finish
	server=$(sql/cluster.sh url "$work/pg")
fi
# make_database NAME: sets database to the URL of a new and empty one
make_database() {
	psql -X -q -d "$server" -c "drop database if exists $1" -c "create database $1" 2>/dev/null ||
		fail "database $1" "was not made" ''
	database=$(sed -E "s|^([^:]+://[^/]*/)[^?]*|\\1$1|" <<<"$server")
}

sanitizers=()
if is_sanitized; then
	sanitizers=("-fsanitize=address,undefined")
fi
read -ra libs < <(pkg-config --libs libpq libcjson)
cc() { command "${CC:-cc}" -Wall -Wextra -Werror "${sanitizers[@]}" "$@"; }

# books WANTED_STATUS: runs it; what it says is in said and complained
books() {
	said=$(DATABASE_URL=$database "$shown/books" 2>"$work/complaint")
	check "status of books" $? "$1"
	complained=$(<"$work/complaint")
}

check "the blocks of README.md" \
	"$(awk -v dir="$shown/" -f tests/tree/readme.awk README.md 2>&1)" ''

# ---- the program ----------------------------------------------------------------------------

command=$(grep '^cc ' "$shown/books.build")
check "README.md's command builds books" "$(cd "$shown" && eval "$command" 2>&1)" ''

make_database "ath_readme_books"
books 0
check "what books says" "$said" "$(<"$shown/books.output")"
check "what books complains of" "$complained" ''
check "what books has stored" "$(query "select title, pages, name from books join authors
	on authors.id = author_id order by title")" $'Letters|20|Ada\nNotes on the Engine|66|Ada'

books 1 # its author is there already
check "what books says again" "$said" ''
check_like "what books complains of again" "$complained" \
	'a row with this value exists already: *uq_authors_name*'
check "what books has stored twice" "$(query 'select count(*) from books')" 2

database="postgresql:///none?host=$work"
books 1
check_like "books without a database" "$(tail -n 1 <<<"$complained")" \
	'the database cannot be reached now: *'
database=mysql://host/name
books 1
check_like "books with another URL" "$complained" 'not valid here: a database URL starts with *'

# ---- the functions --------------------------------------------------------------------------

make_database "ath_readme_shop"
check "shop.c builds" "$(cd "$shown" && cc -std=c17 -Ilib -I. -o shop shop.c \
	"$tree/tests/e2e/readme.c" build/libathanor.a "${libs[@]}" 2>&1)" ''
said=$(DATABASE_URL=$database "$shown/shop" 2>&1)
check "status of shop" $? 0
check "what shop.c does otherwise than it says" "$said" ''

# ---- the application, and its test ----------------------------------------------------------

cp -r app sql "$shown/"
check_that "README.md shows the test that is in the tree" \
	cmp "$shown/test_users.c" tests/app/test_users.c
mkdir -p "$shown/tests/app"
mv "$shown/test_users.c" "$shown/tests/app/"
command=$(grep -v '^DATABASE_URL' "$shown/test_users.build")
check "README.md's command builds test_users" "$(cd "$shown" && eval "$command" 2>&1)" ''
make_database "ath_readme_users"
said=$(DATABASE_URL=$database "$shown/test_users" 2>&1)
check_like "what test_users says" "$said" '*\[  PASSED  \] 3 test(s)*'
check "what test_users leaves behind" "$(query "select count(*) from pg_tables
	where schemaname = 'public'")" 0

# ---- the first endpoint ---------------------------------------------------------------------

cp "$shown"/notes.[ch] "$shown/trips.c" "$shown/app/"
cp "$shown/notes.migration" "$shown/sql/20260102000000_notes.sql"
sed -n 's/^+//p' "$shown/notes.routes" >"$work/routes"
echo 'ATH_GROUP("/trips", trips),' >>"$work/routes"
sed -i -e '0,/^#include/s//#include "notes.h"\n&/' "$shown/app/app.c" "$shown/app/models.c"
sed -i -e 's/^static const struct ath_route routes/extern const struct ath_route trips[];\n&/' \
	"$shown/app/app.c"
sed -i -e "/ath_route routes\[\]/r $work/routes" "$shown/app/app.c"
sed -i -e 's/&ath_idempotency_key_model,$/\&note_model, &/' "$shown/app/models.c"
check "the application with notes builds" "$(cd "$shown" && cc -std=c17 -Ilib -o users app/*.c \
	build/libathanor.a "${libs[@]}" -lm 2>&1)" ''

export WORKER_PROGRAM=$shown/users ATHANOR_MIGRATIONS=$shown/sql
chmod 755 "$shown"
start_stack
row POST /notes '{"text": "feed the furnace", "done": false}' 201 '"text":"feed the furnace"'
row POST /notes '{"text": "", "done": 1}' 422 "$(at /text)" "$(at /done)"
row GET /notes '' 200 '[{"id":1,"text":"feed the furnace","done":false,"created_at":"20'
row PATCH /notes/1 '{"done": true}' 200 '"done":true'
row PATCH /notes/2 '{"done": true}' 404 'no such note'
row GET '/notes?open=yes' '' 200 '=[]'
trip='{"traveller":"ada@example.org","notes":null,"legs":[{"from":"Graz","to":"Wien",'
row POST /trips "$trip\"day\":\"2024-05-06\"}]}" 200 "=$trip\"day\":\"2024-05-06\"}]}"
row POST /trips '{"legs": [{"from": "Graz", "too": "Wien"}]}' 422 "$(at /traveller 'is required')" \
	"$(at /legs/0/too 'is not known here')" "$(at /legs/0/to 'is required')" \
	"$(at /legs/0/day 'is required')" '!/notes'
row POST /trips "$trip\"day\":1,\"a/b~\":[]},7],\"%\":0}" 422 "$(at /legs/0/day)" \
	"$(at /legs/0/a~1b~0 'is not known here')" "$(at /legs/1 'must be an object')" "$(at /%)"
row GET '/trips/forecast?place=Graz&unit=C&unit=F' '' 200 \
	'={"place":"Graz","days":3,"unit":["C","F"]}'
row GET '/trips/forecast?days=10&place=&Place=Graz' '' 422 \
	"$(at /Place 'the query argument is not known here')" \
	"$(at /place 'the query argument must be at least 1 ')" \
	"$(at /days 'the query argument must be an integer from 1 to 9')"
check "the migration is taken back" "$(DATABASE_URL=$database "$WORKER_PROGRAM" migrate down 2>&1 &&
	query "select to_regclass('notes') is null")" $'20260102000000_notes.sql\nt'

for name in ath_readme_books ath_readme_shop ath_readme_users; do
	psql -X -q -d "$server" -c "drop database if exists $name" 2>/dev/null
done
finish
