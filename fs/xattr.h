/*
 * fs/xattr.h - extended attributes of files.  Names are NUL-terminated and have 1 to XATTR_NAME_MAX bytes.
 */
#pragma once
#include "fs/vfs.h"

enum { XATTR_NAME_MAX = 255, XATTR_VALUE_MAX = 65536, XATTR_LIST_MAX = 65536 };
enum xattr_how { XATTR_CREATE = 1, XATTR_REPLACE = 2 };		/* Linux's: it must not be there yet; it must be there */

/* -EOPNOTSUPP: the file system or the kind of name has none; -EPERM, -EACCES, -EROFS, -EINVAL (no name behind the prefix), -EEXIST, -ENODATA, -ENOSPC, -ENOMEM. */
int vfs_set_xattr(struct fs_context *, struct vnode *, const char *name, const void *value, size_t size, unsigned how);
/* The value's size; size 0: only that.  -ERANGE: it is larger than size; -ENODATA. */
ssize vfs_get_xattr(struct fs_context *, struct vnode *, const char *name, void *to, size_t size);
int vfs_remove_xattr(struct fs_context *, struct vnode *, const char *name);
/* All names, each with its NUL: the bytes; size as for vfs_get_xattr. */
ssize vfs_list_xattrs(struct fs_context *, struct vnode *, char *to, size_t size);
/* The file goes. */
void xattrs_drop(struct list *);
