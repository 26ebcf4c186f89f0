/*
 * fs/walk.h - walking a path, one component at a time; for the files of fs/ that open, make, remove and rename.
 *
 *   walk_begin; walk_to_last: the directory and the last name, nothing looked up there yet; walk_end
 *
 * A symbolic link at the end is the caller's to follow (walk_link, then walk_to_last again), since not all follow it.
 */
#pragma once
#include "fs/vfs.h"

enum walk_last {
	LAST_NAME,			/* a name to be looked up in dir */
	LAST_DOT, LAST_DOT_DOT,
	LAST_NONE,			/* "/": dir is what the path leads to */
	LAST_JUMPED,			/* the same, by a link that leads to a vnode (which need not be a directory) */
};

struct walk {
	struct fs_context *fs;
	struct vnode *dir;		/* referenced: so far */
	const char *rest;		/* still to be walked */
	enum walk_last kind;
	const char *last;		/* the last component, and what follows it (slashes or nothing) */
	size_t last_len;
	bool slash;			/* slashes follow it: it has to be a directory */
	unsigned links;			/* followed so far */
	unsigned resolve;		/* enum resolve */
	struct vnode *top;		/* with RESOLVE_BENEATH and RESOLVE_IN_ROOT: where it has started, referenced; else NULL */
	char *buffer;			/* the text of the last link followed, with what came after it; owned */
};

/* Starts at the root, at `at`, or (NULL) at the cwd. -ENOENT for an empty path; then too walk_end may be called. */
int walk_begin(struct walk *, struct fs_context *, struct vnode *at, const char *path);
/* To be called next, if at all: enum resolve. -EXDEV. */
int walk_restrict(struct walk *, struct vnode *at, unsigned resolve);
int walk_to_last(struct walk *);
/* Goes on with the target of this link, found as the last component. */
int walk_link(struct walk *, struct vnode *link);
/* What the path leads to. */
int walk_final(struct walk *, enum walk_how, struct vnode **out);
void walk_end(struct walk *);

/* On to what is mounted on *v, if anything is, as far as that is allowed; keeps or exchanges the reference, or (-EXDEV) drops it. */
int walk_cross(struct walk *, struct vnode **v);
/* A name in a directory, whose lock is held; the out vnode knows its place.  -ENOENT, -ENOTDIR ... */
int dir_lookup_locked(struct vnode *dir, const char *name, size_t len, struct vnode **out);

/* May the caller make something in dir, whose lock is held?  -ENOENT: it has been removed; -EROFS, -EACCES. */
int may_create(struct fs_context *, const struct vnode *dir);
/* A new vnode gets its owner and place. */
int own_new(struct fs_context *, struct vnode *dir, const char *name, size_t len, struct vnode *);
/* What may not be done because nothing may be changed there. */
static inline int check_writable_mount(const struct vnode *v) { return v->mount->flags & MOUNT_READONLY ? -EROFS : 0; }
