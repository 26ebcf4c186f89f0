/*
 * kernel/sys_sockopt.c - getsockopt and setsockopt.
 *
 * Options that mean something to networks alone are kept, as on Linux, and do nothing here.
 */
#include "kernel/socket.h"
#include "arch/time.h"
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "lib/string.h"

enum { PRIORITY_MAX = 6 };

#define BIT(option) ((uint64_t)1 << (option))
static const uint64_t FLAG_OPTIONS = BIT(SO_DEBUG) | BIT(SO_REUSEADDR) | BIT(SO_DONTROUTE) | BIT(SO_BROADCAST) | BIT(SO_KEEPALIVE) | BIT(SO_OOBINLINE) |
	BIT(SO_NO_CHECK) | BIT(SO_PASSCRED) | BIT(SO_TIMESTAMP) | BIT(SO_PASSSEC) | BIT(SO_TIMESTAMPNS);

static bool is_flag(int option)
{
	return option > 0 && option < 64 && FLAG_OPTIONS >> option & 1;
}

/* ---- setting ----------------------------------------------------------------------------------------------------------- */

/* What is asked for, doubled for what a message costs beside its bytes. */
static size_t buffer_size(int32_t asked, bool forced, size_t least)
{
	size_t most = forced ? INT32_MAX / 2 : UNIX_BUFFER_MAX / 2;
	size_t n = asked < 0 && forced ? 0 : (uint32_t)asked < most ? (uint32_t)asked : most;

	return n * 2 < least ? least : n * 2;
}

static int set_buffer(struct unix_socket *s, int option, int32_t value)
{
	bool forced = option == SO_SNDBUFFORCE || option == SO_RCVBUFFORCE;

	if (forced && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (option == SO_SNDBUF || option == SO_SNDBUFFORCE) {
		s->options.send_buffer = buffer_size(value, forced, UNIX_SEND_MIN);
		unix_wake(s, POLL_ROOM);
	} else {
		s->options.receive_buffer = buffer_size(value, forced, UNIX_RECEIVE_MIN);
	}
	return 0;
}

static int set_timeout(uint64_t *to, vaddr_t from, size_t size)
{
	int64_t t[2];

	if (size < sizeof t)
		return -EINVAL;
	if (user_get(t, from))
		return -EFAULT;
	if (t[1] < 0 || t[1] >= 1000000)
		return -EDOM;
	if (t[0] < 0)
		*to = 0;
	else if ((t[0] == 0 && t[1] == 0) || (uint64_t)t[0] >= INT64_MAX / NS_PER_SECOND)
		*to = TIME_NEVER;
	else
		*to = (uint64_t)t[0] * NS_PER_SECOND + (uint64_t)t[1] * 1000;
	return 0;
}

static int set_linger(struct unix_socket *s, vaddr_t from, size_t size)
{
	int32_t linger[2];

	if (size < sizeof linger)
		return -EINVAL;
	if (user_get(linger, from))
		return -EFAULT;
	s->options.linger[0] = linger[0] != 0;
	s->options.linger[1] = linger[1];
	return 0;
}

static int set_flag(struct unix_socket *s, int option, bool on)
{
	if (option == SO_DEBUG && on && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (on)
		__atomic_fetch_or(&s->options.flags, BIT(option), __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&s->options.flags, ~BIT(option), __ATOMIC_RELAXED);
	return 0;
}

static int set_priority(struct unix_socket *s, int32_t value)
{
	if ((value < 0 || value > PRIORITY_MAX) && !capable(CAP_NET_ADMIN))
		return -EPERM;
	s->options.priority = value;
	return 0;
}

static int set_option(struct unix_socket *s, int option, vaddr_t from, size_t size)
{
	int32_t value;

	if (size < sizeof value)
		return -EINVAL;
	if (user_get(value, from))
		return -EFAULT;
	if (is_flag(option))
		return set_flag(s, option, value != 0);
	switch (option) {
	case SO_SNDBUF: case SO_RCVBUF: case SO_SNDBUFFORCE: case SO_RCVBUFFORCE:
		return set_buffer(s, option, value);
	case SO_RCVLOWAT:
		s->options.low_water = value < 0 ? INT32_MAX : value ? value : 1;
		return 0;
	case SO_RCVTIMEO: case SO_RCVTIMEO_NEW:
		return set_timeout(&s->options.receive_timeout_ns, from, size);
	case SO_SNDTIMEO: case SO_SNDTIMEO_NEW:
		return set_timeout(&s->options.send_timeout_ns, from, size);
	case SO_LINGER:
		return set_linger(s, from, size);
	case SO_PRIORITY:
		return set_priority(s, value);
	default:
		return -ENOPROTOOPT;
	}
}

/* setsockopt(fd, level, option, *value, size) */
long sys_setsockopt(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	int32_t size = (int32_t)args[4];
	int error = size < 0 ? -EINVAL : socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	error = (int)args[1] == SOL_SOCKET ? set_option(s, (int)args[2], args[3], (size_t)size) : -EOPNOTSUPP;
	file_put(f);
	return error;
}

/* ---- getting ----------------------------------------------------------------------------------------------------------- */

/* A value of up to 16 bytes. */
struct option_value { size_t size; union { int32_t number; int32_t linger[2]; int64_t time[2]; struct ucred64 cred; }; };

static void tell_timeout(struct option_value *v, uint64_t ns)
{
	v->size = sizeof v->time;
	v->time[0] = ns == TIME_NEVER ? 0 : (int64_t)(ns / NS_PER_SECOND);
	v->time[1] = ns == TIME_NEVER ? 0 : (int64_t)(ns % NS_PER_SECOND / 1000);
}

/* unix_lock held. */
static int get_option(struct unix_socket *s, int option, struct option_value *v)
{
	*v = (struct option_value){ .size = sizeof v->number };
	if (is_flag(option)) {
		v->number = unix_option(s, option);
		return 0;
	}
	switch (option) {
	case SO_TYPE: v->number = s->type; break;
	case SO_DOMAIN: v->number = AF_UNIX; break;
	case SO_PROTOCOL: v->number = 0; break;
	case SO_ERROR: v->number = -unix_take_error(s); break;
	case SO_ACCEPTCONN: v->number = s->state == UNIX_LISTENING; break;
	case SO_SNDBUF: v->number = (int32_t)s->options.send_buffer; break;
	case SO_RCVBUF: v->number = (int32_t)s->options.receive_buffer; break;
	case SO_RCVLOWAT: v->number = s->options.low_water; break;
	case SO_SNDLOWAT: v->number = 1; break;
	case SO_PRIORITY: v->number = s->options.priority; break;
	case SO_LINGER:
		v->size = sizeof v->linger;
		memcpy(v->linger, s->options.linger, sizeof v->linger);
		break;
	case SO_RCVTIMEO: case SO_RCVTIMEO_NEW: tell_timeout(v, s->options.receive_timeout_ns); break;
	case SO_SNDTIMEO: case SO_SNDTIMEO_NEW: tell_timeout(v, s->options.send_timeout_ns); break;
	case SO_PEERCRED:
		v->size = sizeof v->cred;
		v->cred = s->peer_cred;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return 0;
}

/* The peer's name has the length of a name, and no less room is allowed. */
static int put_peer_name(struct unix_socket *s, vaddr_t to, int32_t size, vaddr_t size_at)
{
	struct unix_name n = { .len = 0 };

	spin_lock(&unix_lock);
	bool connected = s->peer;
	if (connected)
		n = s->peer->name;
	spin_unlock(&unix_lock);
	if (!connected)
		return -ENOTCONN;
	if (!n.len) {
		n.addr.family = AF_UNIX;
		n.len = UNIX_NAME_START;
	}
	if ((size_t)size > n.len)
		return -EINVAL;
	return user_copy_out(to, &n.addr, (size_t)size) || user_put(size_at, size) ? -EFAULT : 0;
}

static int put_option(struct unix_socket *s, int option, vaddr_t to, vaddr_t size_at)
{
	struct option_value v;
	int32_t size;

	if (user_get(size, size_at))
		return -EFAULT;
	if (size < 0)
		return -EINVAL;
	if (option == SO_PEERNAME)
		return put_peer_name(s, to, size, size_at);
	spin_lock(&unix_lock);
	int error = get_option(s, option, &v);
	spin_unlock(&unix_lock);
	if (error)
		return error;
	if ((size_t)size > v.size)
		size = (int32_t)v.size;
	return user_copy_out(to, &v.number, (size_t)size) || user_put(size_at, size) ? -EFAULT : 0;
}

/* getsockopt(fd, level, option, *value, *size) */
long sys_getsockopt(const unsigned long args[6])
{
	struct unix_socket *s;
	struct file *f;
	int error = socket_get((int)args[0], &f, &s);

	if (error)
		return error;
	error = (int)args[1] == SOL_SOCKET ? put_option(s, (int)args[2], args[3], args[4]) : -EOPNOTSUPP;
	file_put(f);
	return error;
}
