/*
 * kernel/epoll.h - sets of files that are watched: epoll(7).
 */
#pragma once
#include "fs/file.h"

/* As Linux lays it out: 12 bytes. */
struct epoll_event64 { uint32_t events; uint64_t data; } __attribute__((packed));
enum epoll_op { EPOLL_ADD = 1, EPOLL_DELETE, EPOLL_MODIFY };
/* Bits of an event that are not readiness, but how to tell it. */
#define EPOLL_EXCLUSIVE	(1u << 28)
#define EPOLL_WAKEUP	(1u << 29)
#define EPOLL_ONCE	(1u << 30)
#define EPOLL_EDGE	(1u << 31)
#define EPOLL_HOW	(EPOLL_EDGE | EPOLL_ONCE | EPOLL_WAKEUP | EPOLL_EXCLUSIVE)

struct file *epoll_create_file(void);				/* NULL: no memory */
bool file_is_epoll(const struct file *);
/* epoll_ctl(2), the arguments' own errors apart: the event's bits have been checked.  -EEXIST, -ENOENT, -ELOOP, -EINVAL, -ENOMEM. */
int epoll_control(struct file *epoll, enum epoll_op, struct file *, int fd, const struct epoll_event64 *);
/* Up to `max` events to the user's array: how many, 0 when the time is up, -EINTR, -EFAULT.  deadline_ns 0: does not wait. */
long epoll_wait_until(struct file *epoll, vaddr_t events, int max, uint64_t deadline_ns);
