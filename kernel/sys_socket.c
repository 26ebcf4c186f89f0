/*
 * kernel/sys_socket.c - system calls about sockets: making, naming and connecting them.  There is one family, AF_UNIX (fs/unix.h).
 */
#include "kernel/socket.h"
#include "arch/uaccess.h"
#include "lib/string.h"

int socket_get(int fd, struct file **f, struct unix_socket **s)
{
	*f = files_get(current->files, fd);
	if (!*f || (*f)->flags & OPEN_PATH) {
		file_put(*f);
		return -EBADF;
	}
	*s = unix_of(*f);
	if (*s)
		return 0;
	file_put(*f);
	return -ENOTSOCK;
}

/* ---- addresses --------------------------------------------------------------------------------------------------------- */

int address_copy(struct unix_name *n, vaddr_t from, int32_t len)
{
	char all[SOCKADDR_MAX];

	*n = (struct unix_name){ .len = 0 };
	if (len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	if (user_copy_in(all, from, (size_t)len))
		return -EFAULT;
	memcpy(&n->addr, all, (size_t)len < sizeof n->addr ? (size_t)len : sizeof n->addr);
	return 0;
}

int address_get(struct unix_name *n, vaddr_t from, int32_t len)
{
	int error = address_copy(n, from, len);

	return error ? error : unix_name_check(n, (size_t)len);
}

int address_put_sized(const struct unix_name *n, vaddr_t to, int32_t *len)
{
	size_t all = n->len, room = (size_t)*len;

	if (*len < 0)
		return -EINVAL;
	*len = (int32_t)all;
	return user_copy_out(to, &n->addr, all < room ? all : room) ? -EFAULT : 0;
}

int address_put(const struct unix_name *name, size_t unnamed_len, vaddr_t to, vaddr_t len_at)
{
	struct unix_name n = *name;
	int32_t len;

	if (!n.len) {
		n.addr.family = AF_UNIX;
		n.len = unnamed_len;
	}
	int error = user_get(len, len_at);
	if (!error)
		error = address_put_sized(&n, to, &len);
	return error ? error : user_put(len_at, len);
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

/* The checks of socket and socketpair, in Linux's order; *type becomes one of ours, of which *flags are parted. */
static int check_kind(int family, int *type, int protocol)
{
	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (*type >= SOCK_TYPES)
		return -EINVAL;
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (*type == SOCK_RAW)
		*type = SOCK_DGRAM;
	return *type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

static int check_flags(int flags)
{
	return flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : 0;
}

static unsigned file_flags(int flags)
{
	return flags & SOCK_NONBLOCK ? OPEN_NONBLOCK : 0;
}

/* The descriptor of a new socket; takes over the reference. */
static long install(struct file *f, int flags)
{
	f->vnode->uid = current->euid;
	f->vnode->gid = current->egid;
	int fd = files_install(current->files, f, 0, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* socket(family, type, protocol) */
long sys_socket(const unsigned long args[6])
{
	int type = (int)args[1] & SOCK_TYPE_MASK, flags = (int)args[1] & ~SOCK_TYPE_MASK;
	struct file *f;
	int error = check_flags(flags);

	if (!error)
		error = check_kind((int)args[0], &type, (int)args[2]);
	if (!error)
		error = unix_open(type, file_flags(flags), &f);
	return error ? error : install(f, flags);
}

/* socketpair(family, type, protocol, fds) */
long sys_socketpair(const unsigned long args[6])
{
	int type = (int)args[1] & SOCK_TYPE_MASK, flags = (int)args[1] & ~SOCK_TYPE_MASK;
	struct file *ends[2];
	int error = check_flags(flags);

	if (!error)
		error = check_kind((int)args[0], &type, (int)args[2]);
	if (!error)
		error = unix_open_pair(type, file_flags(flags), ends);
	return error ? error : files_install_pair(current->files, ends, flags & SOCK_CLOEXEC, args[3]);
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static int bind_socket(struct unix_socket *s, vaddr_t address, int32_t len)
{
	struct unix_name n;
	int error = address_copy(&n, address, len);

	if (!error && len == UNIX_NAME_START && n.addr.family == AF_UNIX)
		return unix_autobind(s);
	if (!error)
		error = unix_name_check(&n, (size_t)len);
	return error ? error : unix_bind(s, my_fs(), &n);
}

/* bind(fd, *address, len) */
long sys_bind(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	int error = socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	error = bind_socket(s, args[1], (int32_t)args[2]);
	file_put(f);
	return error;
}

enum whose_name { NAME_OWN, NAME_OF_PEER };

static long name_of(int fd, enum whose_name whose, vaddr_t to, vaddr_t len_at)
{
	struct unix_name n = { .len = 0 };
	struct unix_socket *s;
	struct file *f;
	int error = socket_get(fd, &f, &s);

	if (error)
		return error;
	spin_lock(&unix_lock);
	const struct unix_socket *of = whose == NAME_OWN ? s : s->peer;
	if (of)
		n = of->name;
	else
		error = -ENOTCONN;
	spin_unlock(&unix_lock);
	file_put(f);
	return error ? error : address_put(&n, UNIX_NAME_START, to, len_at);
}

/* getsockname(fd, *address, *len) */
long sys_getsockname(const unsigned long args[6]) { return name_of((int)args[0], NAME_OWN, args[1], args[2]); }
long sys_getpeername(const unsigned long args[6]) { return name_of((int)args[0], NAME_OF_PEER, args[1], args[2]); }

/* ---- connections ------------------------------------------------------------------------------------------------------- */

static int connect_socket(struct unix_socket *s, vaddr_t address, int32_t len, unsigned flags)
{
	struct unix_name n;
	int error = address_copy(&n, address, len);

	if (!error && !(n.addr.family == AF_UNSPEC && len >= UNIX_NAME_START && !unix_by_connection(s)))
		error = unix_name_check(&n, (size_t)len);
	return error ? error : unix_connect(s, my_fs(), &n, flags);
}

/* connect(fd, *address, len) */
long sys_connect(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	int error = socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	error = connect_socket(s, args[1], (int32_t)args[2], f->flags);
	file_put(f);
	return io_result(error);
}

/* listen(fd, backlog) */
long sys_listen(const unsigned long args[6])
{
	unsigned backlog = (unsigned)args[1];
	struct unix_socket *s;
	struct file *f;
	int error = socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	error = unix_listen(s, backlog < SOMAXCONN ? backlog : SOMAXCONN);
	file_put(f);
	return error;
}

/* The new socket, installed, with the name of who connected told. */
static long accept_on(struct file *f, struct unix_socket *s, vaddr_t address, vaddr_t len_at, int flags)
{
	struct unix_name n = { .len = 0 };
	struct file *accepted;
	int error = files_check_room(current->files);

	if (!error)
		error = unix_accept(s, f->flags, file_flags(flags), &accepted);
	if (error)
		return error;
	spin_lock(&unix_lock);
	const struct unix_socket *peer = unix_of(accepted)->peer;
	if (peer)
		n = peer->name;
	spin_unlock(&unix_lock);
	error = address ? address_put(&n, UNIX_NAME_START, address, len_at) : 0;
	if (!error)
		return install(accepted, flags);
	file_put(accepted);
	return error;
}

static long accept_from(int fd, vaddr_t address, vaddr_t len_at, int flags)
{
	struct unix_socket *s;
	struct file *f;
	long result = check_flags(flags);

	if (!result)
		result = socket_get(fd, &f, &s);
	if (result)
		return result;
	result = accept_on(f, s, address, len_at, flags);
	file_put(f);
	return io_result(result);
}

/* accept(fd, *address, *len), accept4(..., flags) */
long sys_accept(const unsigned long args[6])  { return accept_from((int)args[0], args[1], args[2], 0); }
long sys_accept4(const unsigned long args[6]) { return accept_from((int)args[0], args[1], args[2], (int)args[3]); }

/* shutdown(fd, how) */
long sys_shutdown(const unsigned long args[6])
{
	int how = (int)args[1];
	struct unix_socket *s;
	struct file *f;
	int error = socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	if (how < SHUT_RD || how > SHUT_RDWR)
		error = -EINVAL;
	else
		unix_shutdown(s, (unsigned)how + 1);		/* the two bits of UNIX_SHUT */
	file_put(f);
	return error;
}
