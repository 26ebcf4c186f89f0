/*
 * kernel/sys_socket.c - there are no sockets.
 *
 * No family of them is supported, and no descriptor is one: programs that can do without (a shell that asks whether its input is a
 * connection, a library that looks for a name server) get the answers by which they know.
 */
#include "kernel/sys_file.h"

static long no_family(void)
{
	return -EAFNOSUPPORT;
}

static long no_socket(int fd)
{
	struct file *f = files_get(current->files, fd);
	long result = f && !(f->flags & OPEN_PATH) ? -ENOTSOCK : -EBADF;

	file_put(f);
	return result;
}

long sys_socket(const unsigned long args[6])      { (void)args; return no_family(); }
long sys_socketpair(const unsigned long args[6])  { (void)args; return no_family(); }
long sys_connect(const unsigned long args[6])     { return no_socket((int)args[0]); }
long sys_accept(const unsigned long args[6])      { return no_socket((int)args[0]); }
long sys_accept4(const unsigned long args[6])     { return no_socket((int)args[0]); }
long sys_sendto(const unsigned long args[6])      { return no_socket((int)args[0]); }
long sys_recvfrom(const unsigned long args[6])    { return no_socket((int)args[0]); }
long sys_sendmsg(const unsigned long args[6])     { return no_socket((int)args[0]); }
long sys_recvmsg(const unsigned long args[6])     { return no_socket((int)args[0]); }
long sys_shutdown(const unsigned long args[6])    { return no_socket((int)args[0]); }
long sys_bind(const unsigned long args[6])        { return no_socket((int)args[0]); }
long sys_listen(const unsigned long args[6])      { return no_socket((int)args[0]); }
long sys_getsockname(const unsigned long args[6]) { return no_socket((int)args[0]); }
long sys_getpeername(const unsigned long args[6]) { return no_socket((int)args[0]); }
long sys_setsockopt(const unsigned long args[6])  { return no_socket((int)args[0]); }
long sys_getsockopt(const unsigned long args[6])  { return no_socket((int)args[0]); }
