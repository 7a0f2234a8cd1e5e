# header.awk - makes a manual page (man(7), section 3) of one public header, so that the pages say
# what the headers say.
#
#	awk -v title=athanor_db -v version=1.0.0 -v day=2024-05-06 -v aliases=FILE -f header.awk db.h
#
# The comment before a declaration becomes the text under it, and holds for those that follow
# without an empty line; "---- title ----" begins a section, @param and @return are lists, and what
# is indented by a tab or has wide gaps is printed as it stands. Rows of an X-macro's map are
# written out. Macros whose names end in "_" are nobody's business. The names of functions and of
# macros with arguments go to the file aliases, one a line: each is to be found by `man`.

BEGIN {
	width = 72
}

# ---- roff ------------------------------------------------------------------------------------

function escape(text) {
	gsub(/\\/, "\\e", text)
	return text
}
# A line of code: nothing in it is roff's.
function code(text) {
	text = escape(text)
	gsub(/-/, "\\-", text)
	gsub(/'/, "\\(aq", text)
	gsub(/`/, "\\(ga", text)
	gsub(/\^/, "\\(ha", text)
	gsub(/~/, "\\(ti", text)
	print (text ~ /^[.]/ ? "\\&" : "") text
}
# A line of prose: what is called stands out.
function prose(text,	done, name) {
	text = escape(text)
	gsub(/`/, "\\(ga", text)
	gsub(/\^/, "\\(ha", text)
	gsub(/~/, "\\(ti", text)
	while (match(text, /ath_[a-z0-9_]+\(/)) {
		name = substr(text, RSTART, RLENGTH - 1)
		done = done substr(text, 1, RSTART - 1) "\\fB" name "\\fP("
		text = substr(text, RSTART + RLENGTH)
	}
	text = done text
	print (text ~ /^[.']/ ? "\\&" : "") text
}
# A section of nothing but hidden macros has no heading.
function begin_section(name) {
	section = toupper(name)
}
function paragraph() {
	if (section != "")
		print ".SH " section
	else if (!bare)
		print ".PP"
	section = ""
	bare = 0
}

# ---- comments ----------------------------------------------------------------------------------

function begin_verbatim() {
	if (!verbatim) {
		if (!bare)
			print (listed ? ".IP" : ".PP")
		bare = 0
		print ".nf"
		verbatim = 1
		blank = 0
	}
}
function end_verbatim() {
	if (verbatim)
		print ".fi"
	if (verbatim)
		blank = 1
	verbatim = 0
}
# "@param name  text": the item of a list, and the rest of the line.
function begin_item(line,	name) {
	end_verbatim()
	name = "Returns"
	if (line ~ /^@param/) {
		sub(/^@param +/, "", line)
		name = "\\fI" substr(line, 1, match(line, / |$/) - 1) "\\fP"
		sub(/^[^ ]+ */, "", line)
	} else
		sub(/^@return +/, "", line)
	print ".TP"
	print name
	listed = 1
	blank = bare = 0
	return line
}
function comment_line(line,	wide) {
	if (line == "") {
		if (verbatim)
			gap = 1
		blank = 1
		return
	}
	wide = line
	sub(/^ +/, "", wide)
	if (wide ~ /^@/)
		line = wide = begin_item(wide)
	if (line ~ /^\t/ || wide ~ /[^ .]   +[^ ]/ || verbatim && wide ~ /[^ .]  +[^ ]/) {
		begin_verbatim()
		if (gap)
			print ""
		gap = 0
		sub(/^\t/, "", line)
		code((listed ? "" : "    ") (line ~ /^ / && listed ? wide : untab(line)))
		return
	}
	gap = 0
	end_verbatim()
	if (blank)
		print (listed ? ".IP" : ".PP")
	blank = bare = 0
	prose(wide)
}
function comment(text,	count, lines, i) {
	if (text == "")
		return
	if (section != "" || text !~ /^@/)
		paragraph()
	print ".RS 4"
	bare = 1 # right behind a heading, or here, no paragraph is begun
	listed = verbatim = blank = gap = 0
	count = split(text, lines, "\n")
	for (i = 1; i <= count; i++)
		comment_line(lines[i])
	if (verbatim)
		print ".fi"
	print ".RE"
	bare = verbatim = 0
}
# The text inside /* */, without the stars.
function inside(text) {
	sub(/^\/\*+[ \t]*\n?/, "", text)
	sub(/[ \t\n]*\**\*\/[ \t]*$/, "", text)
	gsub(/\n \*\/?/, "\n", text)
	gsub(/\n /, "\n", text)
	sub(/^ \* ?/, "", text)
	return text
}

# ---- declarations ------------------------------------------------------------------------------

function untab(line,	done) {
	while (match(line, /\t/)) {
		done = substr(line, 1, RSTART - 1)
		line = done sprintf("%" (4 - length(done) % 4) "s", "") substr(line, RSTART + 1)
	}
	return line
}
# Words in rows that fit a terminal, the first behind indent, the others two columns further.
function fill(text, indent,	words, count, i, row) {
	sub(/ \*\/$/, "\001*/", text)
	count = split(text, words, " ")
	row = indent words[1]
	for (i = 2; i <= count; i++) {
		if (length(row " " words[i]) > width) {
			code(row)
			row = indent "  "
		}
		row = row " " words[i]
	}
	sub(/\001/, " ", row)
	code(row)
}
# One line of code that may be too long for a terminal: a comment goes below it.
function code_line(line,	at, row, indent) {
	gsub(/\/\*\*<? /, "/* ", line)
	line = untab(line)
	at = index(line, "/* ")
	if (length(line) <= width || at == 0 || line !~ /\*\/$/) {
		code(line)
		return
	}
	row = substr(line, 1, at - 1)
	sub(/ +$/, "", row)
	match(line, /^ */)
	indent = sprintf("%" RLENGTH "s", "")
	if (row != "") {
		code(row)
		indent = indent "    "
	}
	fill(substr(line, at), indent)
}
# A prototype, broken behind commas.
function prototype(text,	parts, count, i, row) {
	gsub(/ATH_API |ATH_FUNCTION_ |static inline /, "", text)
	gsub(/ATH_PRINTF\([^)]*\)|ATH_MUST_CHECK|ATH_COLD/, "", text)
	gsub(/[ \t\n]+/, " ", text)
	sub(/ *;? *$/, ";", text)
	count = split(text, parts, ", ")
	row = parts[1]
	for (i = 2; i <= count; i++) {
		if (length(row ", " parts[i]) > width) {
			code(row ",")
			row = "    " parts[i]
		} else
			row = row ", " parts[i]
	}
	code(row)
}
# The name of a function or of an object that is declared.
function called(text) {
	if (match(text, /ath_[a-z0-9_]+\(/) || text ~ / extern / && match(text, /ath_[a-z0-9_]+;/))
		return substr(text, RSTART, RLENGTH - 1)
	return ""
}
function begin_group() {
	if (!grouped) {
		paragraph()
		print ".nf"
		grouped = 1
	}
}
function end_group() {
	if (grouped) {
		print ".fi"
		comment(pending)
		pending = ""
	}
	grouped = 0
}
function declare(text,	count, lines, i) {
	begin_group()
	if (text !~ /[{]/) {
		if (text ~ /\*\/$/)
			code_line(text)
		else
			prototype(text)
		if (called(text) != "")
			print called(text) >aliases
		return
	}
	gsub(/\/\*\*?\n[ \t]*\* /, "/* ", text) # a comment of several lines becomes one
	gsub(/\n[ \t]*\*\//, " */", text)
	gsub(/\n[ \t]*\* /, " ", text)
	count = split(text, lines, "\n")
	for (i = 1; i <= count; i++) {
		if (text ~ /^enum/)
			sub(/^\t+/, "\t", lines[i])
		code_line(lines[i])
	}
}

# ---- macros --------------------------------------------------------------------------------------

# One row of a map, "X(EQ, "=")", put into the body of the X that is defined now.
function row_of(row,	values, count, i, at, quoted, letter, word, result, text, rest) {
	sub(/^[^(]*\(/, "", row)
	sub(/\)[^)]*$/, "", row)
	count = 1
	for (at = 1; at <= length(row); at++) {
		letter = substr(row, at, 1)
		if (letter == "\"")
			quoted = !quoted
		if (letter == "," && !quoted) {
			count++
			sub(/^ +/, "", row)
		} else
			values[count] = values[count] letter
	}
	for (i = 1; i <= count; i++)
		sub(/^ +/, "", values[i])
	rest = x_body
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
		word = substr(rest, RSTART, RLENGTH)
		result = result substr(rest, 1, RSTART - 1)
		rest = substr(rest, RSTART + RLENGTH)
		for (i = 1; i <= x_count && x_names[i] != word; i++)
			;
		result = result (i <= x_count ? values[i] : word)
		if (i <= x_count)
			used[i] = 1
	}
	result = result rest
	gsub(/##/, "", result)
	for (i = 1; i <= x_count; i++)
		if (!(i in used) && values[i] ~ /^"/) {
			text = values[i]
			gsub(/^"|"$/, "", text)
			result = result " /* " text " */"
		}
	return result
}
function define_x(text,	names) {
	names = text
	sub(/^[^(]*\(/, "", names)
	sub(/\).*/, "", names)
	x_count = split(names, x_names, /, */)
	x_body = text
	sub(/^[^)]*\) */, "", x_body)
}
# Lines of a map's name, such as "ATH_POINTER_MAP(X) ATH_SCALAR_MAP(X)", written out.
function expand(line,	result, name, i) {
	while (match(line, /ATH_[A-Z_]+_MAP\(X\)/)) {
		name = substr(line, RSTART, RLENGTH - 3)
		line = substr(line, RSTART + RLENGTH)
		for (i = 1; i <= map_count[name]; i++)
			result = result (result == "" ? "" : "\n") row_of(map[name, i])
	}
	return result
}
function define(text,	name, count, lines, i) {
	name = text
	sub(/^#define +/, "", name)
	if (name ~ /^X\(/) {
		gsub(/[ \t]*\\\n/, "\n", text)
		define_x(text)
		return
	}
	if (name ~ /^ATH_[A-Z_]+_MAP\(/) {
		count = split(text, lines, "X[(]")
		sub(/\(.*/, "", name)
		for (i = 2; i <= count; i++) {
			sub(/[ \t\\\n]+$/, "", lines[i])
			map[name, ++map_count[name]] = "X(" lines[i]
		}
		pending = ""
		return
	}
	hide = name
	sub(/[^A-Za-z0-9_].*/, "", hide)
	if (hide ~ /_$/ || hide ~ /_H$/ || hide ~ /_EACH_[0-9]$|_2_$|_GET_[0-9]$/) {
		end_group()
		if (pending ~ /\n/)
			comment(pending)
		pending = ""
		return
	}
	begin_group()
	if (name ~ /^[A-Za-z0-9_]+\(/) {
		sub(/\).*/, ")", name)
		print hide >aliases
	} else if (text ~ /\n/)
		name = hide
	gsub(/[ \t]+/, " ", name)
	code_line("#define " name)
}

# ---- the file ------------------------------------------------------------------------------------

function heading(text,	line) {
	line = text
	sub(/^\/\* -+ */, "", line)
	sub(/ *-+ *(\*\/)?$/, "", line)
	begin_section(line)
}
function begin_page(text,	line, rest) {
	line = rest = text
	sub(/^[^ ]+ - /, "", line)
	# the first sentence is the name's, and what follows the description
	if (match(line, /[.](\n|$| )/)) {
		rest = substr(line, RSTART + 2)
		line = substr(line, 1, RSTART - 1)
	} else
		rest = ""
	gsub(/\n/, " ", line)
	sub(/^\n+/, "", rest)
	print ".\\\" made from the header by header.awk"
	print ".TH " toupper(title) " 3 " day " \"Athanor " version "\" \"Athanor\""
	print ".SH NAME"
	print title " \\- " escape(line)
	print ".SH SYNOPSIS"
	print ".B #include <athanor.h>"
	print ".PP"
	print "cc ... $(pkg\\-config \\-\\-cflags \\-\\-libs athanor)"
	print ".SH DESCRIPTION"
	bare = 1
	if (rest == "")
		rest = "What belongs together stands together; athanor(7) tells of the whole."
	comment_page(rest)
}
function comment_page(text,	count, lines, i) {
	listed = verbatim = blank = gap = 0
	count = split(text, lines, "\n")
	for (i = 1; i <= count; i++)
		comment_line(lines[i])
	end_verbatim()
	bare = 0
}

# A comment that begins in the first column, on one line or more
!open && /^\/\*/ { open = "comment"; held = "" }
open == "comment" {
	held = held (held == "" ? "" : "\n") $0
	if ($0 !~ /\*\//)
		next
	open = ""
	if (held ~ /^\/\* ----/) {
		end_group()
		heading(held)
	} else if (!begun) {
		begun = 1
		begin_page(inside(held))
	} else if (held !~ /clang-format/) {
		end_group()
		if (pending != "")
			comment(pending)
		pending = inside(held)
	}
	next
}

# A macro, with all its lines
!open && /^#define/ { open = "macro"; held = "" }
open == "macro" {
	held = held (held == "" ? "" : "\n") $0
	if ($0 ~ /\\$/)
		next
	open = ""
	define(held)
	next
}

# Maps between declarations, and the preprocessor's other lines
!open && /^ATH_[A-Z_]+_MAP\(X\)/ {
	made = expand($0)
	gsub(/[ \t]*\\\n/, "\n", made)
	made_count = split(made, made_lines, "\n")
	held = ""
	for (m = 1; m <= made_count; m++) {
		sub(/^\t/, "", made_lines[m])
		sub(/[ \t\\]+$/, "", made_lines[m])
		if (made_lines[m] == "")
			continue
		held = held (held == "" ? "" : "\n") made_lines[m]
		if (made_lines[m] ~ /^}?.*;$/ && made_lines[m] !~ /^\t/) {
			declare(held)
			held = ""
		}
	}
	next
}
!open && (/^#/ || /^extern "C"/ || /^}$/) { next }
!open && /^$/ { end_group(); next }

# A declaration, to its end; of a function that is here itself, the prototype
!open { open = "declaration"; held = ""; depth = 0; is_body = 0 }
open == "declaration" {
	line = $0
	if (line ~ /^#define X\(/)
		define_x(line)
	else if (line ~ /ATH_[A-Z_]+_MAP\(X\)/) {
		line = expand(line)
		gsub(/(^|\n)/, "&\t", line)
		held = held "\n" line
	} else if (line !~ /^#/) {
		opened = gsub(/[{]/, "{", line)
		if (held ~ /^static inline/ && line ~ /^[{]/)
			is_body = 1
		depth += opened - gsub(/}/, "}", line)
		if (!is_body)
			held = held (held == "" ? "" : "\n") line
	}
	bare_line = line
	sub(/[ \t]*\/\*.*/, "", bare_line)
	if (depth == 0 && (bare_line ~ /;$/ || is_body && line ~ /^}/)) {
		open = ""
		declare(held)
	}
	next
}

END {
	end_group()
	print ".SH SEE ALSO"
	print ".BR athanor (7)"
}
