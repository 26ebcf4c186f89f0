/* abi/socket.h - Linux x86-64: sockets: families, types, flags, options, and the structures of their calls. */
#pragma once
#include <stdint.h>

enum { AF_UNSPEC, AF_UNIX, AF_MAX = 46 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5, SOCK_TYPES = 11, SOCK_TYPE_MASK = 15,
	SOCK_NONBLOCK = 04000, SOCK_CLOEXEC = 02000000 };
enum { SOMAXCONN = 4096 };

enum { SUN_PATH_BYTES = 108 };
struct sockaddr_un { uint16_t family; char path[SUN_PATH_BYTES]; };
_Static_assert(sizeof(struct sockaddr_un) == 110, "struct sockaddr_un has 110 bytes");
enum { SOCKADDR_MAX = 128 };			/* struct sockaddr_storage */

struct msghdr64 { uint64_t name; int32_t namelen; uint32_t pad; uint64_t iov, iovlen, control, controllen; uint32_t flags, pad2; };
_Static_assert(sizeof(struct msghdr64) == 56, "struct msghdr has 56 bytes");
struct mmsghdr64 { struct msghdr64 hdr; uint32_t len, pad; };
struct cmsghdr64 { uint64_t len; int32_t level, type; };
struct ucred64 { int32_t pid; uint32_t uid, gid; };

enum { SHUT_RD, SHUT_WR, SHUT_RDWR };
enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2, SCM_MAX_FD = 253 };
enum {
	MSG_OOB = 1, MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_WAITALL = 0x100, MSG_NOSIGNAL = 0x4000,
	MSG_WAITFORONE = 0x10000, MSG_CMSG_CLOEXEC = 0x40000000,
};
enum { SOL_SOCKET = 1 };
enum {
	SO_DEBUG = 1, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_NO_CHECK,
	SO_PRIORITY, SO_LINGER, SO_PASSCRED = 16, SO_PEERCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SO_PEERNAME = 28,
	SO_TIMESTAMP, SO_ACCEPTCONN, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE, SO_PASSSEC, SO_TIMESTAMPNS, SO_PROTOCOL = 38, SO_DOMAIN, SO_RCVTIMEO_NEW = 66, SO_SNDTIMEO_NEW,
};
