/*
 * fs/dev.h - character devices and the /dev file system.
 *
 * A device is known by its number; a vnode of type S_IFCHR with that number, on any file system, opens it.  /dev is a tmpfs that
 * starts with a node for every device, the directories shm and pts, and the links fd, stdin, stdout and stderr.
 *
 * Lock: devices are registered at boot only.
 */
#pragma once
#include "fs/file.h"

/* name: "tty1", relative to /dev; NULL: no node.  mode: permissions.  The strings and ops stay. Before or after dev_mount. */
void dev_register(const char *name, uint64_t rdev, uint32_t mode, const struct file_ops *);
/* All numbers from rdev on, so many, without nodes. */
void dev_register_range(uint64_t rdev, uint64_t numbers, const struct file_ops *);
/* null, zero, full, random, urandom. */
void dev_register_memory(void);
/* For vfs_open: sets file->ops by the vnode's number and calls their open; -ENXIO. */
int dev_open(struct file *);
/* Is it /dev/zero, whose mappings are anonymous memory? */
bool dev_is_zero(const struct file *);

/* Upcall (kernel/random.c): bytes that cannot be guessed. */
void random_bytes(void *to, size_t n);
