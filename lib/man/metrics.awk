# metrics.awk - for the manual, what a program says with `help metrics`: rows of a table in Markdown,
# "| `name` | type | labels | text |".

/^\| `/ {
	gsub(/\\/, "") # of what Markdown would take for its own
	gsub(/-/, "\\-")
	split($0, cell, " *[|] *")
	gsub(/`/, "", cell[2])
	print ".TP"
	print "\\fB" cell[2] "\\fR (" cell[3] (cell[4] == "" ? "" : ": " cell[4]) ")"
	print cell[5]
}
