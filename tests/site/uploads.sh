# shellcheck shell=bash
# uploads.sh - forms with files of any size.

uploads_rows() {
	local size saved
	for size in 0 1 65536 65537 3000000 33554432; do
		head -c "$size" /dev/urandom >"$work/file"
		form /uploads/form 200 "a field sent.bin $size $(checksum "$work/file")" \
			-F 'field=a field' -F "file=@$work/file;filename=sent.bin"
	done
	head -c 500000 "$work/file" >"$work/part"
	form /uploads/memory 200 "- part 500000 $(checksum "$work/part")" -F "file=@$work/part"
	form /uploads/form 422 'send a file' -F 'field=a field'
	seq 100000 >"$work/field" # 588,895 bytes of text
	form /uploads/form 413 'of fields' -F "field=<$work/field" -F "more=<$work/field"
	saved="saved-$front-$$"
	form "/uploads/save/${saved//_/-}" 200 / -F "file=@$work/part"
	check_that "the file that was saved" cmp -s "$work/part" "$body"
	check_that "is taken away again" rm "$body"
}
# form PATH STATUS PART OPTION...
form() {
	status=$(curl --noproxy '*' -s -m "$patience" -o "$work/body" -w '%{http_code}' -H Expect: \
		"${@:4}" "$url$1")
	body=$(<"$work/body")
	check "$1 with ${*:4}" "$status" "$2"
	check_like "$1 says" "$body" "*$3*"
}
