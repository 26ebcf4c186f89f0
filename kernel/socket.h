/*
 * kernel/socket.h - what the system calls about sockets share: descriptors and addresses.
 */
#pragma once
#include "fs/unix.h"
#include "kernel/sys_file.h"

/* A descriptor that is a socket.  -EBADF, -ENOTSOCK: then there is nothing to put. */
int socket_get(int fd, struct file **, struct unix_socket **);

/*
 * An address from the user: a name, by unix_name_check, or (len 0) none.  -EINVAL, -EFAULT.
 * Where a call takes more than names (AF_UNSPEC; an address that is cut off), it looks at addr itself: address_copy gives it as it is.
 */
int address_copy(struct unix_name *, vaddr_t from, int32_t len);
int address_get(struct unix_name *, vaddr_t from, int32_t len);
/* To the user, as much as there is room for; *len_at says how much that is, and then how long it was.  unnamed_len: how much of one without a name is told. */
int address_put(const struct unix_name *, size_t unnamed_len, vaddr_t to, vaddr_t len_at);
/* The room is known, what it was is returned in *len. */
int address_put_sized(const struct unix_name *, vaddr_t to, int32_t *len);
