/*
 * kernel/proc_mounts.c - the texts of /proc about what is mounted: mounts and mountinfo, in the formats of Linux.
 */
#include "kernel/proc.h"
#include "kernel/sys_file.h"
#include "lib/string.h"
#include "vm/heap.h"

struct listing { struct text *text; struct vnode *root; char *path; };

/* What would end a field is written as an octal number. */
static void print_field(struct text *t, const char *s)
{
	for (size_t n; *s; s += n) {
		for (n = 0; s[n] && !strchr(" \t\n\\#", s[n]); n++)
			;
		if (n == 0) {
			text_print(t, "\\%03o", (unsigned)*s);
			n = 1;
		} else {
			text_append(t, s, n);
		}
	}
}

static void print_path(struct listing *l, struct mount *m)
{
	if (vnode_path(l->root, m->root, l->path, PATH_MAX_BYTES) < 0)
		memcpy(l->path, "/", 2);
	print_field(l->text, l->path);
}

static void print_flags(struct text *t, const struct mount *m)
{
	static const struct { unsigned flag; const char *name; } flags[] = {
		{ MOUNT_NO_SETID, ",nosuid" }, { MOUNT_NO_DEVICES, ",nodev" }, { MOUNT_NO_EXEC, ",noexec" }, { MOUNT_NO_ATIME, ",noatime" },
		{ MOUNT_NO_DIR_ATIME, ",nodiratime" },
	};

	text_print(t, m->flags & MOUNT_READONLY ? "ro" : "rw");
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (m->flags & flags[i].flag)
			text_print(t, "%s", flags[i].name);
	if (!(m->flags & MOUNT_NO_ATIME))
		text_print(t, ",relatime");
}

static void print_mount(struct mount *m, void *context)
{
	struct listing *l = context;

	print_field(l->text, m->source);
	text_print(l->text, " ");
	print_path(l, m);
	text_print(l->text, " %s ", m->type);
	print_flags(l->text, m);
	if (m->show)
		m->show(m, l->text);
	text_print(l->text, " 0 0\n");
}

static void print_mountinfo(struct mount *m, void *context)
{
	struct listing *l = context;
	struct text *t = l->text;
	const struct mount *above = m->covers ? m->covers->mount : m;

	text_print(t, "%lu %lu 0:%lu / ", (unsigned long)m->id, (unsigned long)above->id, (unsigned long)m->dev);
	print_path(l, m);
	text_print(t, " ");
	print_flags(t, m);
	text_print(t, " - %s ", m->type);
	print_field(t, m->source);
	text_print(t, m->flags & MOUNT_READONLY ? " ro" : " rw");
	if (m->show)
		m->show(m, t);
	text_print(t, "\n");
}

static int list(struct text *t, void (*print)(struct mount *, void *))
{
	struct listing l = { .text = t, .root = fs_context_root(my_fs()), .path = kmalloc(PATH_MAX_BYTES) };

	if (l.path)
		mount_for_each(print, &l);
	kfree(l.path);
	vnode_put(l.root);
	return l.path ? 0 : -ENOMEM;
}

int proc_print_mounts(struct text *t) { return list(t, print_mount); }
int proc_print_mountinfo(struct text *t) { return list(t, print_mountinfo); }
