# readme.awk - writes the blocks of README.md to files of the directory dir (its name ends in /),
# and prints what is wrong with them. A comment right before a block says where it belongs:
#
#	<!-- compile: NAME -->     it is the file NAME; every ```c block has this or the next
#	<!-- compile: + NAME -->   it goes to the end of NAME
#	<!-- WORD: NAME -->        it is the file NAME.WORD: how NAME is built, what it says

/^<!-- [a-z]+: (\+ )?[A-Za-z0-9_.]+ -->$/ {
	append = $3 == "+"
	code = $2 == "compile:"
	name = append ? $4 : $3
	if (!code)
		name = name "." substr($2, 1, length($2) - 1)
	marked = FNR
}
/^[ \t]*```/ && open {
	open = 0
	next
}
/^[ \t]*```/ {
	open = 1
	c = tolower($1) == "```c"
	wanted = marked && marked == FNR - 1
	if (c && !(wanted && code && name ~ /\.[ch]$/))
		print "README.md:" FNR ": a block without <!-- compile: NAME --> right before it"
	else if (wanted && append != (name in seen))
		print "README.md:" FNR ": " name (append ? " is not there yet" : " a second time, without a +")
	if (wanted)
		seen[name]
	next
}
open && wanted { print >(dir name) }
END {
	if (open)
		print "README.md: a block does not end"
}
