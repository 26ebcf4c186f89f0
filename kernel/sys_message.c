/*
 * kernel/sys_message.c - system calls that send and receive: sendto, sendmsg, sendmmsg, recvfrom, recvmsg, recvmmsg; and what goes along with a message, descriptors and credentials.
 */
#include "kernel/socket.h"
#include "arch/time.h"
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/sys_time.h"
#include "vm/heap.h"

enum { CONTROL_MAX = 20480, OVERFLOW_ID = 65534 };

#define CMSG_ALIGN(n)	(((n) + 7) & ~(size_t)7)
#define CMSG_LEN(n)	(sizeof(struct cmsghdr64) + (n))

/* ---- upcalls of fs/unix.h ---------------------------------------------------------------------------------------------- */

struct ucred64 unix_self(void)           { return (struct ucred64){ current->pid, current->uid, current->gid }; }
struct ucred64 unix_self_effective(void) { return (struct ucred64){ current->pid, current->euid, current->egid }; }

uint64_t unix_rights_limit(void)
{
	return capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN) ? ~(uint64_t)0 : current->limits[LIMIT_NOFILE].cur;
}

/* ---- what a message carries: sending ----------------------------------------------------------------------------------- */

static int add_right(struct unix_rights *r, int fd)
{
	struct file *f = files_get(current->files, fd);

	if (!f)
		return -EBADF;
	r->file[r->n++] = f;
	return 0;
}

/* All descriptors of one message together are SCM_MAX_FD at most. */
static int take_rights(struct unix_out *out, const int32_t *fds, size_t n)
{
	int error = 0;

	if (n == 0)
		return 0;
	if (n + (out->rights ? out->rights->n : 0) > SCM_MAX_FD)
		return -EINVAL;
	if (!out->rights)
		out->rights = unix_rights_new(SCM_MAX_FD);
	if (!out->rights)
		return -ENOMEM;
	for (size_t i = 0; i < n && !error; i++)
		error = add_right(out->rights, fds[i]);
	return error;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == a || id == b || id == c;
}

/* To pretend to be another takes a capability for each of the numbers. */
static int take_cred(struct unix_out *out, const struct ucred64 *c)
{
	const struct process *p = current;

	if ((c->pid != p->pid && !capable(CAP_SYS_ADMIN)) || (!is_one_of(c->uid, p->uid, p->euid, p->suid) && !capable(CAP_SETUID))
		|| (!is_one_of(c->gid, p->gid, p->egid, p->sgid) && !capable(CAP_SETGID)))
		return -EPERM;
	if (c->uid == ~0u || c->gid == ~0u)
		return -EINVAL;
	mutex_lock(&tree_lock);
	bool there = process_of(c->pid);
	mutex_unlock(&tree_lock);
	if (!there)
		return -ESRCH;
	out->cred = *c;
	return 0;
}

static int take_control_message(struct unix_out *out, const struct cmsghdr64 *c)
{
	const void *data = c + 1;
	size_t len = c->len - sizeof *c;

	if (c->level != SOL_SOCKET)
		return 0;
	switch (c->type) {
	case SCM_RIGHTS:
		return take_rights(out, data, len / sizeof(int32_t));
	case SCM_CREDENTIALS:
		return len == sizeof(struct ucred64) ? take_cred(out, data) : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int parse_control(struct unix_out *out, const char *bytes, size_t size)
{
	int error = 0;

	for (size_t at = 0; !error && size - at >= sizeof(struct cmsghdr64);) {
		const struct cmsghdr64 *c = (const struct cmsghdr64 *)(bytes + at);
		if (c->len < sizeof *c || c->len > size - at)
			return -EINVAL;
		error = take_control_message(out, c);
		if (CMSG_ALIGN(c->len) > size - at)
			break;
		at += CMSG_ALIGN(c->len);
	}
	return error;
}

/* On an error out->rights may have some, for the caller to doom. */
static int take_control(struct unix_out *out, vaddr_t from, uint64_t size)
{
	if (size > CONTROL_MAX)
		return -ENOBUFS;
	if (size < sizeof(struct cmsghdr64))
		return 0;
	char *bytes = kmalloc(size);
	if (!bytes)
		return -ENOBUFS;
	int error = user_copy_in(bytes, from, size) ? -EFAULT : parse_control(out, bytes, size);
	kfree(bytes);
	return error;
}

/* ---- what a message carries: receiving --------------------------------------------------------------------------------- */

/* Where control messages go: what is left of the user's room. */
struct control { vaddr_t at; size_t left; unsigned told; };

static void advance(struct control *c, size_t len)
{
	size_t n = CMSG_ALIGN(len) < c->left ? CMSG_ALIGN(len) : c->left;

	c->at += n;
	c->left -= n;
}

/* A whole control message, cut off where there is no room for it; one that the user's memory does not take is left out. */
static void put_control(struct control *c, int type, const void *data, size_t len)
{
	struct cmsghdr64 head = { .len = CMSG_LEN(len), .level = SOL_SOCKET, .type = type };

	if (c->left < sizeof head) {
		c->told |= MSG_CTRUNC;
		return;
	}
	if (c->left < head.len) {
		c->told |= MSG_CTRUNC;
		head.len = c->left;
	}
	if (!user_put(c->at, head) && !user_copy_out(c->at + sizeof head, data, head.len - sizeof head))
		advance(c, CMSG_LEN(len));
}

static void put_cred(struct control *c, const struct ucred64 *cred)
{
	struct ucred64 told = cred->pid ? *cred : (struct ucred64){ 0, OVERFLOW_ID, OVERFLOW_ID };

	put_control(c, SCM_CREDENTIALS, &told, sizeof told);
}

/* One more descriptor of ours, told at `to`. */
static int put_right(struct file *f, vaddr_t to, bool close_on_exec)
{
	int32_t fd = files_install(current->files, file_ref(f), 0, close_on_exec);

	if (fd < 0)
		file_put(f);
	else if (user_put(to, fd))
		files_uninstall(current->files, fd, f);
	else
		return 0;
	return -1;
}

/* As many as there is room for; the others are lost. */
static void put_rights(struct control *c, const struct unix_rights *r, bool close_on_exec)
{
	struct cmsghdr64 head = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	size_t most = c->left <= sizeof head ? 0 : (c->left - sizeof head) / sizeof(int32_t), n = 0;

	while (n < r->n && n < most && put_right(r->file[n], c->at + sizeof head + n * sizeof(int32_t), close_on_exec) == 0)
		n++;
	if (n > 0) {
		head.len = CMSG_LEN(n * sizeof(int32_t));
		if (!user_put(c->at, head))
			advance(c, head.len);
	}
	if (n < r->n)
		c->told |= MSG_CTRUNC;
}

/* Tells what came along, and lets go of it. */
static void tell_control(const struct unix_socket *s, struct unix_in *in, struct control *c, unsigned flags)
{
	bool wants_cred = unix_option(s, SO_PASSCRED);

	if (c->at) {
		if (wants_cred)
			put_cred(c, &in->cred);
		if (in->rights)
			put_rights(c, in->rights, flags & MSG_CMSG_CLOEXEC);
	} else if (wants_cred || in->rights) {
		c->told |= MSG_CTRUNC;
	}
}

static void let_go(struct unix_rights *r)
{
	unix_rights_doom(r);
	unix_put_rights();
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

static unsigned wait_flags(const struct file *f, unsigned flags)
{
	return flags & MSG_DONTWAIT ? f->flags | OPEN_NONBLOCK : f->flags;
}

/* out: what it carries is let go of where it was not sent. */
static long send_parts(struct file *f, struct unix_socket *s, struct parts *from, struct unix_out *out, unsigned flags)
{
	out->flags = wait_flags(f, flags);
	ssize n = flags & MSG_OOB ? -EOPNOTSUPP : unix_send(s, from, out);
	let_go(out->rights);
	return io_result(n == -EPIPE && flags & MSG_NOSIGNAL ? -EPIPE_QUIET : n);
}

/* sendto(fd, *bytes, n, flags, *address, len) */
long sys_sendto(const unsigned long args[6])
{
	size_t size = args[2] < IO_MAX ? args[2] : IO_MAX;
	struct uio uio = uio_user(args[1], size);
	struct parts from = { &uio, 1 };
	struct unix_out out = { .fs = my_fs() };
	struct unix_name to;
	struct unix_socket *s;
	struct file *f;

	if (!user_range(args[1], size))
		return -EFAULT;
	long result = socket_get((int)args[0], &f, &s);
	if (result)
		return result;
	if (args[4])
		result = address_copy(&to, args[4], (int32_t)args[5]);
	if (!result && args[4] && args[5] && s->type == SOCK_DGRAM)
		result = unix_name_check(&to, (size_t)args[5]);
	out.to = args[4] && (int32_t)args[5] ? &to : NULL;
	if (!result)
		result = send_parts(f, s, &from, &out, (unsigned)args[3]);
	file_put(f);
	return result;
}

static int get_vector(struct vector *vec, const struct msghdr64 *h)
{
	return h->iovlen > IOV_MAX_COUNT ? -EMSGSIZE : vector_get(vec, h->iov, h->iovlen);
}

/* The address that a message header gives, if it does. */
static int get_name(const struct unix_socket *s, const struct msghdr64 *h, struct unix_name *to, struct unix_out *out)
{
	int32_t len = !h->name ? 0 : h->namelen > SOCKADDR_MAX ? SOCKADDR_MAX : h->namelen;

	if (h->namelen < 0)
		return -EINVAL;
	if (len == 0)
		return 0;
	out->to = to;
	return s->type == SOCK_DGRAM ? address_get(to, h->name, len) : address_copy(to, h->name, len);
}

static long send_one(struct file *f, struct unix_socket *s, vaddr_t header, unsigned flags)
{
	struct unix_out out = { .fs = my_fs() };
	struct unix_name to;
	struct msghdr64 h;
	struct vector vec;

	if (user_get(h, header))
		return -EFAULT;
	long result = get_name(s, &h, &to, &out);
	if (!result)
		result = get_vector(&vec, &h);
	if (result)
		return result;
	if (h.control)
		result = take_control(&out, h.control, h.controllen);
	if (result) {
		let_go(out.rights);
	} else {
		struct parts from = { vec.v, vec.n };
		result = send_parts(f, s, &from, &out, flags);
	}
	vector_drop(&vec);
	return result;
}

/* sendmsg(fd, *header, flags) */
long sys_sendmsg(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	long result = socket_get((int)args[0], &f, &s);

	if (result)
		return result;
	result = send_one(f, s, args[1], (unsigned)args[2]);
	file_put(f);
	return result;
}

/* One of sendmmsg's or recvmmsg's messages has moved so many bytes. */
static int put_count(vaddr_t header, long n)
{
	uint32_t len = (uint32_t)n;

	return user_put(header + offsetof(struct mmsghdr64, len), len);
}

/* sendmmsg(fd, *headers, n, flags): how many went, or why the first one did not. */
long sys_sendmmsg(const unsigned long args[6])
{
	unsigned long n = (unsigned)args[2] < IOV_MAX_COUNT ? (unsigned)args[2] : IOV_MAX_COUNT, done;
	struct unix_socket *s;
	struct file *f;
	long result = socket_get((int)args[0], &f, &s);

	if (result)
		return result;
	for (done = 0; done < n; done++) {
		vaddr_t header = args[1] + done * sizeof(struct mmsghdr64);
		result = send_one(f, s, header, (unsigned)args[3]);
		if (result >= 0)
			result = put_count(header, result);
		if (result < 0)
			break;
	}
	file_put(f);
	return done ? (long)done : result;
}

/* ---- receiving --------------------------------------------------------------------------------------------------------- */

static ssize receive_parts(struct file *f, struct unix_socket *s, struct parts *to, struct unix_in *in, unsigned flags)
{
	*in = (struct unix_in){ .flags = wait_flags(f, flags), .how = flags };
	return flags & MSG_OOB ? -EOPNOTSUPP : unix_receive(s, to, in);
}

/* recvfrom(fd, *bytes, n, flags, *address, *len) */
long sys_recvfrom(const unsigned long args[6])
{
	size_t size = args[2] < IO_MAX ? args[2] : IO_MAX;
	struct uio uio = uio_user(args[1], size);
	struct parts to = { &uio, 1 };
	struct unix_socket *s;
	struct unix_in in;
	struct file *f;

	if (!user_range(args[1], size))
		return -EFAULT;
	long result = socket_get((int)args[0], &f, &s);
	if (result)
		return result;
	result = io_result(receive_parts(f, s, &to, &in, (unsigned)args[3]));
	let_go(in.rights);
	if (result >= 0 && args[4]) {
		int error = address_put(&in.from, 0, args[4], args[5]);
		result = error ? error : result;
	}
	file_put(f);
	return result;
}

/* Tells the header what came: the sender's name, control messages, flags. */
static int tell_header(const struct unix_socket *s, vaddr_t header, const struct msghdr64 *h, struct unix_in *in, unsigned flags)
{
	struct control c = { h->control, h->controllen, in->told | (flags & MSG_CMSG_CLOEXEC) };
	int32_t namelen = h->namelen > SOCKADDR_MAX ? SOCKADDR_MAX : h->namelen;

	tell_control(s, in, &c, flags);
	if (h->name) {
		int error = address_put_sized(&in->from, h->name, &namelen);
		if (!error)
			error = user_put(header + offsetof(struct msghdr64, namelen), namelen);
		if (error)
			return error;
	}
	uint64_t used = c.at - h->control;
	return user_put(header + offsetof(struct msghdr64, flags), c.told) || user_put(header + offsetof(struct msghdr64, controllen), used) ? -EFAULT : 0;
}

/* Interrupted sleeps are answered as unix_receive does. */
static ssize receive_one(struct file *f, struct unix_socket *s, vaddr_t header, unsigned flags)
{
	struct vector vec;
	struct msghdr64 h;
	struct unix_in in;

	if (user_get(h, header))
		return -EFAULT;
	ssize result = h.name && h.namelen < 0 ? -EINVAL : get_vector(&vec, &h);
	if (result)
		return result;
	struct parts to = { vec.v, vec.n };
	result = receive_parts(f, s, &to, &in, flags);
	if (result >= 0) {
		int error = tell_header(s, header, &h, &in, flags);
		result = error ? error : result;
	}
	let_go(in.rights);
	vector_drop(&vec);
	return result;
}

/* recvmsg(fd, *header, flags) */
long sys_recvmsg(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	long result = socket_get((int)args[0], &f, &s);

	if (result)
		return result;
	result = io_result(receive_one(f, s, args[1], (unsigned)args[2]));
	file_put(f);
	return result;
}

/* When recvmmsg takes no more messages: the time is looked at between two, as on Linux. */
static int get_end(vaddr_t from, uint64_t *end)
{
	struct timespec64 t;

	*end = TIME_NEVER;
	if (!from)
		return 0;
	if (user_get(t, from))
		return -EFAULT;
	if (!timespec_valid(&t))
		return -EINVAL;
	*end = time_add(time_now_ns(), ns_of_timespec(&t));
	return 0;
}

static int put_rest(vaddr_t to, uint64_t end)
{
	uint64_t now = time_now_ns(), left = end > now ? end - now : 0;
	struct timespec64 t = { (int64_t)(left / NS_PER_SECOND), (int64_t)(left % NS_PER_SECOND) };

	return to && end != TIME_NEVER ? user_put(to, t) : 0;
}

static long receive_several(struct file *f, struct unix_socket *s, const unsigned long args[6], uint64_t end)
{
	unsigned flags = (unsigned)args[3];
	ssize result = 0;
	long done;

	for (done = 0; done < (long)(unsigned)args[2]; done++) {
		vaddr_t header = args[1] + (size_t)done * sizeof(struct mmsghdr64);
		result = receive_one(f, s, header, flags & ~(unsigned)MSG_WAITFORONE);
		if (result >= 0)
			result = put_count(header, result);
		if (result < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (time_now_ns() >= end) {
			done++;
			break;
		}
	}
	return done ? done : io_result(result);
}

/* recvmmsg(fd, *headers, n, flags, *timeout) */
long sys_recvmmsg(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	uint64_t end;
	long result = get_end(args[4], &end);

	if (!result)
		result = socket_get((int)args[0], &f, &s);
	if (result)
		return result;
	spin_lock(&unix_lock);
	result = unix_take_error(s);
	spin_unlock(&unix_lock);
	if (!result)
		result = receive_several(f, s, args, end);
	if (result >= 0 && put_rest(args[4], end))
		result = -EFAULT;
	file_put(f);
	return result;
}
