/*
 * fs/unix.h - AF_UNIX sockets: what the system calls of kernel/sys_socket.c and sys_message.c stand on.
 *
 *   unix.c          a socket's life: it comes, is connected, shut down, and goes; what it is ready for
 *   unix_name.c     names, in the file system and abstract, and sockets found by them
 *   unix_data.c     messages: sending and receiving
 *   unix_rights.c   descriptors in flight, and the collection of sockets that nothing but messages holds
 *
 * A message lies in the queue of the socket that will receive it, and counts against the sender's buffer until it has been received.  A connection that waits to be accepted is
 * a socket without a file, in the listener's list.  A socket lives as long as somebody has a reference: its file, whoever has it as its peer, its messages on their way.
 *
 * Locks: unix_lock (spinlock, RANK_LEAF) for all of all sockets, but for what is said of a field below.  socket->reading (mutex, RANK_PIPE) is held by who takes messages or looks at
 * them: they stay in the queue meanwhile, so that bytes can be copied to the user without unix_lock.  Files are put with neither held.
 */
#pragma once
#include "abi/socket.h"
#include "fs/vfs.h"

enum { UNIX_BUFFER = 212992, UNIX_BUFFER_MAX = 2 * UNIX_BUFFER, UNIX_SEND_MIN = 4608, UNIX_RECEIVE_MIN = 2304 };	/* as Linux's net.core.*, doubled where it does */

enum unix_state { UNIX_IDLE, UNIX_LISTENING, UNIX_CONNECTED };
enum { UNIX_NO_RECEIVE = 1, UNIX_NO_SEND = 2, UNIX_SHUT = 3 };		/* socket->shut */

/* len: of addr, as user programs give it; that of a path counts the NUL behind it.  0: no name. */
struct unix_name { struct sockaddr_un addr; char nul; size_t len; };
enum { UNIX_NAME_START = offsetof(struct sockaddr_un, path) };

/* Files on their way. */
struct unix_rights {
	struct list link;		/* of those that are to be put */
	bool limited;			/* the sender's limit of open files counts for it */
	unsigned n;
	struct file *file[];		/* referenced */
};

struct unix_socket {
	struct list all;		/* of all that have not been closed */
	unsigned refs;			/* atomic */
	int type;			/* SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET; never changes */
	struct file *file;		/* not referenced; NULL: waits to be accepted, or closed */
	enum unix_state state;
	bool dead;			/* closed */
	unsigned shut;			/* what is not done any more: UNIX_NO_* */
	int error;			/* to be told once; 0: none */
	struct unix_name name;
	bool bound;			/* the name is its own: it can be found by it */
	struct vnode *node;		/* its place in the file system, referenced; or NULL */
	struct unix_socket *peer;	/* where it sends to, referenced; or NULL */
	struct list clients, client;	/* those whose peer it is; in the list of its peer's */
	struct list queue;		/* messages that it has not received */
	unsigned queued;
	struct list pending;		/* connections that wait to be accepted, or its place among them */
	unsigned npending, backlog;	/* of a listener; else backlog: how long the queue of datagrams may be */
	size_t sending;			/* what its messages on their way count for */
	struct ucred64 peer_cred;	/* who it is connected to; of a listener: who listens */

	struct {			/* kernel/sys_sockopt.c; words */
		uint64_t flags;		/* bit SO_*: those that are on or off */
		size_t send_buffer, receive_buffer;
		uint64_t send_timeout_ns, receive_timeout_ns;	/* ~0: none */
		int low_water, priority;
		int32_t linger[2];
	} options;

	struct list flying;		/* in flight: in the list of such */
	unsigned in_flight;		/* so often */
	struct list work;		/* of the collection, as the next three */
	unsigned outside;
	bool suspect, reached;

	struct mutex reading;
	struct waitq changed;		/* messages, connections, room to send, an end, an error */
	struct waitq room;		/* others may send to it or connect again */
};

extern struct spinlock unix_lock;
extern struct list unix_sockets;	/* by `all` */

static inline struct unix_socket *unix_ref(struct unix_socket *s) { __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED); return s; }
void unix_put(struct unix_socket *);					/* NULL is allowed; takes no lock of sockets */
static inline bool unix_by_connection(const struct unix_socket *s) { return s->type != SOCK_DGRAM; }
static inline bool unix_option(const struct unix_socket *s, int option) { return s->options.flags >> option & 1; }
/* The socket that a file is, or NULL. */
struct unix_socket *unix_of(const struct file *);

/* ---- unix.c: -errno ---- */
int unix_open(int type, unsigned flags, struct file **out);
int unix_open_pair(int type, unsigned flags, struct file *out[2]);
int unix_connect(struct unix_socket *, struct fs_context *, const struct unix_name *, unsigned flags);	/* name->len 0: dissolves */
int unix_listen(struct unix_socket *, unsigned backlog);
int unix_accept(struct unix_socket *, unsigned flags, unsigned new_flags, struct file **out);
void unix_shutdown(struct unix_socket *, unsigned what);
int unix_take_error(struct unix_socket *);		/* 0, or a negative errno, which is told once; unix_lock held */
/* These POLL_ bits may have come to hold; with or without unix_lock. */
void unix_wake(struct unix_socket *, unsigned events);
/* May nothing be sent to it, or no connection made, for it has too many that wait?  unix_lock held. */
bool unix_full(const struct unix_socket *);
void unix_set_peer(struct unix_socket *, struct unix_socket *);		/* unix_lock held */
/* Those who waited for unix_full to end.  unix_lock held. */
void unix_wake_senders(struct unix_socket *);
/* The calls' deadline: `timeout` from now; 0: they do not wait.  flags: OPEN_NONBLOCK. */
uint64_t unix_deadline(uint64_t timeout_ns, unsigned flags);
/* After wait_prepare: 0: look again; -EAGAIN: the time is up; -EINTR, or -EINTR_FINAL where the time was limited. */
int unix_sleep(struct waitq *, uint64_t deadline);

/* ---- unix_name.c ---- */
/* Does the user's address of these bytes make a name?  -EINVAL. */
int unix_name_check(struct unix_name *, size_t len);
int unix_bind(struct unix_socket *, struct fs_context *, const struct unix_name *);
/* A socket that sends its credentials has a name, if need be a made-up one. */
int unix_autobind(struct unix_socket *);
/* The socket of this type and name, referenced. */
int unix_find(struct fs_context *, const struct unix_name *, int type, struct unix_socket **out);
void unix_unbind(struct unix_socket *);			/* unix_lock held; socket->node is left to be put */
struct text;
void unix_print_all(struct text *);			/* /proc/net/unix */

/* ---- unix_data.c ---- */
struct unix_out {
	struct fs_context *fs;
	const struct unix_name *to;	/* NULL: to the peer */
	struct unix_rights *rights;	/* NULL: none; once sent, NULL */
	struct ucred64 cred;		/* pid 0: the caller's, if anybody asks */
	unsigned flags;			/* OPEN_NONBLOCK */
};
struct unix_in {
	unsigned flags;			/* OPEN_NONBLOCK */
	unsigned how;			/* MSG_PEEK, MSG_WAITALL, MSG_TRUNC */
	struct unix_name from;		/* the sender's */
	struct ucred64 cred;
	struct unix_rights *rights;	/* the caller's; or NULL */
	unsigned told;			/* MSG_TRUNC */
};
ssize unix_send(struct unix_socket *, struct parts *, struct unix_out *);
ssize unix_receive(struct unix_socket *, struct parts *, struct unix_in *);
int unix_readable(struct unix_socket *);		/* bytes, as FIONREAD says it; -EINVAL */
void unix_drop_messages(struct unix_socket *);		/* unix_lock held; unix_put_rights after it */

/* ---- unix_rights.c ---- */
struct unix_message {
	struct list link;
	struct unix_socket *sender;	/* referenced */
	size_t charge;			/* what it counts for there */
	struct ucred64 cred;		/* pid 0: none */
	struct unix_rights *rights;
	size_t taken, len;		/* bytes received already; all */
	char data[];
};
struct unix_rights *unix_rights_new(unsigned room);	/* NULL: no memory */
/* They are on their way now, or no longer.  unix_lock held; -ETOOMANYREFS: more than `limit` are. */
int unix_rights_leave(struct unix_rights *, uint64_t limit);
void unix_rights_arrive(struct unix_rights *);
struct unix_rights *unix_rights_copy(const struct unix_rights *, struct unix_rights *to);	/* with references; `to` has room */
/* To be put by the next unix_put_rights; with or without unix_lock.  NULL is allowed. */
void unix_rights_doom(struct unix_rights *);
void unix_put_rights(void);
bool unix_in_flight(const struct file *);		/* is it a socket that messages hold? */
void unix_collect(void);

/* Upcalls (kernel/sys_message.c): the calling process, by its real and its effective numbers; how many descriptors it may have on their way. */
struct ucred64 unix_self(void);
struct ucred64 unix_self_effective(void);
uint64_t unix_rights_limit(void);
/* Upcall (kernel/sched.c). */
int wait_sleep_until(struct waitq *, enum wait_how, uint64_t deadline_ns);
