# initrd/manifest.awk - from what the guest is to see to what a FAT image can hold.
#
# Input, tab-separated and percent-encoded (docs/image.md): TYPE:MODE:SIZE, path, link target.  TYPE: f d l p c b; the path begins with a slash;
# of a device the target is MAJOR:MINOR.  Parents come before their children.  Records whose type is in upper case are only there
# if the path is not yet known.
#
# Output files: `lines`: directory, tab, manifest line; `renames`: path, tab, name under which it is stored;
# `numbers`: clusters that files and directories take, slots of the root directory.

BEGIN {
	FS = "\t"
	tree_clusters = 0
	split("con prn aux nul clock$ com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9", names, " ")
	for (i in names)
		reserved[names[i]] = 1
}

# Can mtools store this name, and give it back as it is?
function storable(name,   lower, stem) {
	if (name !~ /^[A-Za-z0-9_.+=@#,()~-]+$/ || name ~ /\.$/)
		return 0
	lower = tolower(name)
	stem = lower
	sub(/\..*/, "", stem)
	return !(stem in reserved) && lower !~ /^_fl[0-9]+$/
}

# Entries of 32 bytes: the short one and, 13 characters each, the long ones.
function slots(name) { return 1 + int((length(name) + 12) / 13) }
function clusters(bytes) { return int((bytes + cluster - 1) / cluster) }

{
	split($1, head, ":")
	type = head[1]
	path = $2
	if (path in seen)
		next
	if (type ~ /[A-Z]/)
		type = tolower(type)
	dir = path
	sub(/\/[^\/]*$/, "", dir)
	if (dir == "")
		dir = "/"
	if (dir != "/" && seen[dir] != "d") {
		print "mkimage: " path ": " dir " is not a directory" > "/dev/stderr"
		failed = 1
		exit 1
	}
	seen[path] = type
	name = path
	sub(/.*\//, "", name)
	if (path == "/.faultline-meta")
		next

	if (type ~ /[lpcb]/) {
		print dir "\t" type, head[2] % 10000, 0, 0, name, $3 > lines
		next
	}
	stored = name
	key = dir SUBSEP tolower(name)
	if (!storable(name) || key in taken) {
		stored = sprintf("_FL%05d", ++aliases)
		print path "\t" stored > renames
	}
	taken[dir SUBSEP tolower(stored)] = 1
	if (stored != name)
		print dir "\t" type, head[2], 0, 0, name, stored > lines
	else if (head[2] != (type == "d" ? 755 : 644))
		print dir "\t" type, head[2], 0, 0, name > lines
	used[dir] += slots(stored)
	if (type == "d")
		used[path] += 2
	else
		tree_clusters += clusters(head[3])
}

END {
	if (failed)
		exit 1
	for (dir in used)
		if (dir != "/")
			tree_clusters += clusters(used[dir] * 32)
	print tree_clusters, used["/"] + 0 > numbers
}
