/*
 * fs/memfd.h - files without a place: they live in a tmpfs that is mounted nowhere, and go with their last user.
 */
#pragma once
#include "fs/vfs.h"

/* That tmpfs; made at boot: -ENOMEM. */
extern struct mount *memfd_mount;
int memfd_init(void);
/* A new empty file, open for reading and writing, shown as "/memfd:NAME (deleted)"; seals: enum seal, those that it starts with. -ENOMEM. */
int memfd_open(struct fs_context *, const char *name, uint32_t permissions, unsigned seals, struct file **out);
/* fcntl F_GET_SEALS: the seals of a file of a tmpfs, -EINVAL for others. */
long file_seals(struct file *);
/* F_ADD_SEALS: 0; -EPERM: not open for writing, or sealed against more; -EINVAL; -EBUSY: SEAL_WRITE, and a mapping may write. */
int file_add_seals(struct file *, unsigned seals);
