/* abi/stat.h - Linux x86-64: struct stat, modes, timespec. */
#pragma once
#include <stdint.h>

struct timespec64 { int64_t sec, nsec; };

struct linux_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	struct timespec64 atime, mtime, ctime;
	int64_t unused[3];
};

#if !__STDC_HOSTED__
enum { S_IFMT = 0170000, S_IFSOCK = 0140000, S_IFLNK = 0120000, S_IFREG = 0100000, S_IFBLK = 0060000, S_IFDIR = 0040000, S_IFCHR = 0020000, S_IFIFO = 0010000, S_ISUID = 04000, S_ISGID = 02000, S_ISVTX = 01000, S_IXGRP = 010 };
#define S_ISDIR(m) (((m) & S_IFMT) == S_IFDIR)
#define S_ISREG(m) (((m) & S_IFMT) == S_IFREG)
#define S_ISLNK(m) (((m) & S_IFMT) == S_IFLNK)
#define S_ISCHR(m) (((m) & S_IFMT) == S_IFCHR)
#define S_ISFIFO(m) (((m) & S_IFMT) == S_IFIFO)
#define S_ISBLK(m) (((m) & S_IFMT) == S_IFBLK)
#define S_ISSOCK(m) (((m) & S_IFMT) == S_IFSOCK)
#else
#include <sys/stat.h>
#endif
enum { FT_UNKNOWN, FT_FIFO = 1, FT_CHR = 2, FT_DIR = 4, FT_BLK = 6, FT_REG = 8, FT_LNK = 10 };	/* DT_* */
static inline uint64_t makedev64(unsigned major, unsigned minor) { return (uint64_t)major << 8 | (minor & 0xff) | (uint64_t)(minor & ~0xffu) << 12; }
