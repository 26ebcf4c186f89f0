/*
 * kernel/mqueue.h - POSIX message queues (mq_overview(7)): mqueue.c has the queues and the file system that they are files of, /dev/mqueue; sys_mqueue.c the calls.
 */
#pragma once
#include "fs/tmpfs.h"
#include "kernel/process.h"

enum { MQ_PRIORITY_MAX = 32768, MQ_MESSAGES_HARD_MAX = 65536, MQ_SIZE_HARD_MAX = 16 << 20 };

/* Linux's struct mq_attr; flags: OPEN_NONBLOCK or 0. */
struct mq_attributes { int64_t flags, maxmsg, msgsize, curmsgs, reserved[4]; };

struct mq_message { struct list link; unsigned priority; size_t size; char bytes[]; };

enum mq_notify_how { MQ_NOTIFY_SIGNAL, MQ_NOTIFY_NONE };
struct mq_notice { pid_type pid /* 0: nobody wants one */; enum mq_notify_how how; int signo; uint64_t value; };

struct mqueue {
	struct mutex lock;		/* RANK_PIPE: all but what is set at the start */
	struct waitq changed;
	struct list messages;		/* the highest priority first, and of those the oldest */
	size_t max, size;		/* messages, and bytes of one; set at the start */
	size_t count, bytes;
	unsigned receivers;		/* that sleep: with one, nobody is notified */
	struct mq_notice notice;
	uint32_t uid;			/* whose RLIMIT_MSGQUEUE it counts for; set at the start, as is */
	size_t charged;
	struct list all;		/* queues_lock */
};

/* At boot, for /dev/mqueue; NULL: no memory. */
struct mount *mqueue_mount(void);
/* The file of a queue, opened; -ENOENT, -EEXIST, -EACCES, -EINVAL, -ENOSPC, -EMFILE, -ENOMEM ...  attributes NULL: those by default. */
int mqueue_open(struct fs_context *, const char *name, unsigned flags, uint32_t mode, const struct mq_attributes *, struct file **out);
int mqueue_unlink(struct fs_context *, const char *name);
/* The queue of such a file, else NULL. */
struct mqueue *mqueue_of(const struct file *);

/* A message comes in; *notice is whom to tell of it (mqueue_tell, without locks).  Takes over the message, unless it fails: -EAGAIN, -EINTR, -ETIMEDOUT. */
int mqueue_send(struct mqueue *, struct mq_message *, bool wait, uint64_t deadline_ns, struct mq_notice *notice);
void mqueue_tell(const struct mq_notice *);
/* The first message goes out, to the caller. */
int mqueue_receive(struct mqueue *, bool wait, uint64_t deadline_ns, struct mq_message **out);
