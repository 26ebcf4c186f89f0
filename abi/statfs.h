/* abi/statfs.h - Linux x86-64: struct statfs. */
#pragma once
#include <stdint.h>

struct linux_statfs {
	int64_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs has 120 bytes");

enum { STATFS_TMPFS = 0x01021994, STATFS_PROC = 0x9fa0, STATFS_SYSFS = 0x62656572, STATFS_MSDOS = 0x4d44, STATFS_PIPE = 0x50495045, STATFS_ANON = 0x09041934,
	STATFS_SOCKET = 0x534f434b, STATFS_DEVPTS = 0x1cd1, STATFS_MQUEUE = 0x19800202 };
enum { STATFS_READONLY = 1, STATFS_NOSUID = 2, STATFS_NODEV = 4, STATFS_NOEXEC = 8, STATFS_VALID = 0x20, STATFS_NOATIME = 0x400, STATFS_NODIRATIME = 0x800,
	STATFS_RELATIME = 0x1000 };
