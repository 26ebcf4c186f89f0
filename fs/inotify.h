/*
 * fs/inotify.h - programs are told what happens to files and in directories: inotify(7).
 */
#pragma once
#include "fs/vfs.h"

enum notify_event {			/* Linux's IN_* */
	IN_ACCESS = 1, IN_MODIFY = 2, IN_ATTRIB = 4, IN_CLOSE_WRITE = 8, IN_CLOSE_NOWRITE = 0x10, IN_OPEN = 0x20, IN_MOVED_FROM = 0x40, IN_MOVED_TO = 0x80,
	IN_CREATE = 0x100, IN_DELETE = 0x200, IN_DELETE_SELF = 0x400, IN_MOVE_SELF = 0x800, IN_ALL_EVENTS = 0xfff,
	IN_UNMOUNT = 0x2000, IN_OVERFLOW = 0x4000, IN_IGNORED = 0x8000,
	IN_ONLYDIR = 0x1000000, IN_DONT_FOLLOW = 0x2000000, IN_EXCL_UNLINK = 0x4000000, IN_MASK_CREATE = 0x10000000, IN_MASK_ADD = 0x20000000, IN_ISDIR = 0x40000000,
};
#define IN_ONESHOT	0x80000000u

extern unsigned notify_watches;		/* of all instances; atomic to be read */
static inline bool notify_wanted(void) { return __builtin_expect(__atomic_load_n(&notify_watches, __ATOMIC_RELAXED) != 0, 0); }

/* What happened to v: its own watches are told, and those of the directory that it is known to be in.  The caller has a reference. */
void notify_watchers(struct vnode *v, uint32_t event);
static inline void notify(struct vnode *v, uint32_t event)
{
	if (notify_wanted())
		notify_watchers(v, event);
}
/* The same for v's own watches alone. */
void notify_self(struct vnode *v, uint32_t event);
/* What happened to a name in dir, which is (or was) that of v; cookie: pairs IN_MOVED_FROM with IN_MOVED_TO, or 0. */
void notify_name(struct vnode *dir, uint32_t event, const char *name, size_t len, const struct vnode *v, uint32_t cookie);
uint32_t notify_cookie(void);
/* v has lost a name; with the last one its watches end when nobody uses it any more.  The caller has a reference. */
void notify_unlinked(struct vnode *v);
/* A file system is taken away: its watches end. */
void notify_unmount(struct mount *);

/* A new instance as an open file; flags: OPEN_NONBLOCK.  NULL: no memory. */
struct file *inotify_create(unsigned flags);
bool file_is_inotify(const struct file *);
/* mask: events and options, checked by the caller; the watch's number, -EEXIST, -ENOSPC, -ENOMEM. */
int inotify_add(struct file *, struct vnode *, uint32_t mask);
int inotify_remove(struct file *, int wd);		/* -EINVAL: there is none */
