# options.awk - what a program says with --print-options=man, in another form:
#
#	form=file     for the manual of the configuration file: by the name that an option has there
#	form=example  such a file: each option with its default, behind a #. What a first file has of
#	              "name = value" takes its place, and comments there stand in front
#
# There an option is ".TP", its flags, its text, and lines for its default and its names elsewhere.

function plain(text) {
	gsub(/\\f[A-Z]/, "", text)
	gsub(/\\-/, "-", text)
	gsub(/\\e/, "\\", text)
	return text
}
# Text as a comment, in rows of at most 100 columns.
function comment(text,	words, count, i, row) {
	count = split(text, words, " ")
	row = "#"
	for (i = 1; i <= count; i++) {
		if (length(row " " words[i]) > 100) {
			print row
			row = "#"
		}
		row = row " " words[i]
	}
	print row
}
function heading() {
	if (form == "file")
		print ".SS " section
	else {
		dashes = sprintf("%" (91 - length(section)) "s", "")
		gsub(/ /, "-", dashes)
		print "\n# ---- " section " " dashes
	}
	section = ""
}
function finish() {
	# a file does not name a file
	if (name == "config")
		name = ""
	if (name == "")
		return
	if (section != "")
		heading()
	count = split(name, names, ", ")
	if (form == "file") {
		print ".TP"
		for (i = 1; i <= count; i++)
			printf "\\fB%s\\fR = %s%s", names[i], takes[i], i < count ? ", " : "\n"
		printf "%s", text
		if (usual != "")
			print "The default is " usual "."
	} else {
		print ""
		comment(plain(text))
		for (i = 1; i <= count; i++)
			if (names[i] in set)
				print names[i] " = " set[names[i]]
			else
				print "#" names[i] " =" (usual == "" ? "" : " " plain(usual))
	}
	name = text = usual = ""
}

form == "example" && FNR == NR {
	if (match($0, / = /) && !/^#/)
		set[substr($0, 1, RSTART - 1)] = substr($0, RSTART + 3)
	else
		print
	next
}

/^\.SS / {
	finish()
	section = substr($0, 5)
	next
}
/^\.TP/ { finish(); tag = 1; next }
tag {
	tag = 0
	# what each flag takes; one that is on or off nothing
	count = split($0, flags, ", ")
	for (i = 1; i <= count; i++)
		takes[i] = match(flags[i], /\\fI.*/) ? substr(flags[i], RSTART) : "\\fIon|off\\fR"
	next
}
/^The default is / {
	usual = substr($0, 16)
	sub(/\.$/, "", usual)
	next
}
/^In the environment: / { next }
/^In a file: / {
	name = plain(substr($0, 12))
	sub(/\.$/, "", name)
	next
}
{ text = text $0 "\n" }

END { finish() }
