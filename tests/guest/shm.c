/* tests/guest/shm.c - System V shared memory. */
#include "tap.h"
#include <grp.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>

#ifndef SHM_STAT
#define SHM_STAT 13
#define SHM_INFO 14
#endif
#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif
#ifndef SHM_DEST
#define SHM_DEST 01000
#define SHM_LOCKED 02000
#endif
enum { STAT_ANY = 15, IPC_INFO_ = 3, RDONLY_ = 010000, REMAP_ = 040000 };
static const key_t KEY = 0x5eed1234;

static struct shmid_ds state_of(int id)
{
	struct shmid_ds ds = { .shm_segsz = 0 };
	NEED(!shmctl(id, IPC_STAT, &ds));
	return ds;
}

static int make(size_t size, int flags)
{
	int id = shmget(IPC_PRIVATE, size, flags);
	NEED(id >= 0);
	return id;
}

static char *attach(int id)
{
	char *p = shmat(id, NULL, 0);
	NEED(p != (void *)-1);
	return p;
}

static void finish(int id)
{
	EQ(shmctl(id, IPC_RMID, NULL), 0);
}

/* The line of a file of /proc in which this word is; or "". */
static const char *line_with(const char *path, const char *word)
{
	static char line[512];
	FILE *f = fopen(path, "r");
	NEED(f);
	while (fgets(line, sizeof line, f)) {
		if (strstr(line, word)) {
			fclose(f);
			line[strcspn(line, "\n")] = 0;
			return line;
		}
	}
	fclose(f);
	return strcpy(line, "");
}

TEST(get)
{
	int status, id = shmget(KEY, 3 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0640);
	struct shmid_ds ds;

	NEED(id >= 0);
	ds = state_of(id);
	EQ(ds.shm_segsz, 3 * PAGE + 1);
	EQ(ds.shm_perm.mode, 0640);
	EQ(ds.shm_perm.uid, geteuid());
	EQ(ds.shm_perm.cuid, geteuid());
	EQ(ds.shm_perm.gid, getegid());
	EQ(ds.shm_perm.cgid, getegid());
	EQ(ds.shm_cpid, getpid());
	EQ(ds.shm_lpid, 0);
	EQ(ds.shm_nattch, 0);
	EQ(ds.shm_atime, 0);
	EQ(ds.shm_dtime, 0);
	CHECK(ds.shm_ctime >= time(NULL) - 5 && ds.shm_ctime <= time(NULL) + 1);
	EQ(shmget(KEY, 0, 0), id);
	EQ(shmget(KEY, 3 * PAGE + 1, 0600), id);
	EQ(shmget(KEY, 1, IPC_CREAT), id);
	EQ(shmget(KEY, 1, IPC_EXCL), id);
	FAILS(shmget(KEY, 1, IPC_CREAT | IPC_EXCL), EEXIST);
	FAILS(shmget(KEY, 3 * PAGE + 2, 0), EINVAL);
	FAILS(shmget(KEY + 1, PAGE, 0), ENOENT);
	FAILS(shmget(KEY + 1, 0, 0), ENOENT);
	FAILS(shmget(KEY + 1, 0, IPC_CREAT), EINVAL);
	FAILS(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	FAILS(shmget(IPC_PRIVATE, (size_t)-1, 0600), EINVAL);
	FAILS(shmget(IPC_PRIVATE, (size_t)1 << 62, 0600), ENOMEM);
	int a = make(1, 0600), b = make(1, 0600);
	CHECK(a != b && a != id);
	finish(a);
	finish(b);
	CHILD(status) {
		NEED(!setgid(12345) && !setuid(12345));
		FAILS(shmget(KEY, 1, 0400), EACCES);
		EQ(shmget(KEY, 1, 0), id);
		FAILS(shmget(KEY, 3 * PAGE + 2, 0400), EINVAL);
		FAILS(shmget(KEY, 1, IPC_CREAT | IPC_EXCL | 0400), EEXIST);
		FAILS(shmat(id, NULL, 0), EACCES);
		FAILS(shmat(id, NULL, RDONLY_), EACCES);
		FAILS(shmctl(id, IPC_STAT, &ds), EACCES);
		FAILS(shmctl(id, IPC_SET, &ds), EPERM);
		FAILS(shmctl(id, IPC_RMID, NULL), EPERM);
		EQ(shmctl(id & 0x7fff, STAT_ANY, &ds), id);
		FAILS(shmctl(id & 0x7fff, SHM_STAT, &ds), EACCES);
	}
	EQ(status, 0);
	finish(id);
	FAILS(shmget(KEY, 1, 0), ENOENT);
	FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
	FAILS(shmat(id, NULL, 0), EINVAL);
}

TEST(huge_pages_are_for_who_may_lock)
{
	CHECK(setgid(1000) == 0 && setgroups(0, NULL) == 0 && setuid(1000) == 0);
	FAILS(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600), EPERM);
}

TEST(attach_and_detach)
{
	int status, id = make(3 * PAGE + 1, 0600);
	char *p = attach(id), *q;
	struct shmid_ds ds = state_of(id);

	EQ(ds.shm_nattch, 1);
	EQ(ds.shm_lpid, getpid());
	CHECK(ds.shm_atime >= time(NULL) - 5);
	EQ(ds.shm_dtime, 0);
	for (int i = 0; i < 4 * PAGE; i++)
		if (p[i]) {
			FAIL("byte %d is not zero", i);
			break;
		}
	p[3 * PAGE + 5] = 4;					/* the last page is there as a whole */
	q = attach(id);
	CHECK(q != p);
	q[PAGE] = 42;
	EQ(p[PAGE], 42);
	EQ(state_of(id).shm_nattch, 2);
	CHILD(status) {						/* a fork attaches both */
		EQ(state_of(id).shm_nattch, 4);
		p[2 * PAGE] = 17;
		EQ(shmdt(p), 0);
		EQ(state_of(id).shm_nattch, 3);
		EQ(state_of(id).shm_lpid, getpid());
	}
	EQ(status, 0);
	EQ(state_of(id).shm_nattch, 2);				/* and its end detaches */
	EQ(q[2 * PAGE], 17);
	FAILS(shmdt(p + PAGE), EINVAL);
	FAILS(shmdt(p + 1), EINVAL);
	FAILS(shmdt(NULL), EINVAL);
	EQ(shmdt(p), 0);
	FAILS(shmdt(p), EINVAL);
	REFUSED((void)*(volatile char *)p, SIGSEGV, SEGV_MAPERR, p);
	ds = state_of(id);
	EQ(ds.shm_nattch, 1);
	CHECK(ds.shm_dtime >= ds.shm_atime);
	EQ(munmap(q, 4 * PAGE), 0);				/* goes as well */
	EQ(state_of(id).shm_nattch, 0);
	p = attach(id);						/* what is in it stays */
	EQ(p[PAGE], 42);
	EQ(shmdt(p), 0);
	finish(id);
}

TEST(places)
{
	int id = make(2 * PAGE, 0600);
	char *area = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);

	FAILS(shmat(id, area, 0), EINVAL);			/* something is there */
	FAILS(shmat(id, area - PAGE, 0), EINVAL);
	EQ((long)shmat(id, area + PAGE, REMAP_), (long)(area + PAGE));
	area[PAGE] = 5;
	EQ(munmap(area, 8 * PAGE), 0);
	EQ(state_of(id).shm_nattch, 0);
	FAILS(shmat(id, area + 1, 0), EINVAL);
	FAILS(shmat(id, area + 1, REMAP_), EINVAL);
	FAILS(shmat(id, NULL, REMAP_), EINVAL);
	FAILS(shmat(id, (void *)1, SHM_RND | REMAP_), EINVAL);
	EQ((long)shmat(id, area + 1, SHM_RND), (long)area);
	EQ(area[PAGE], 0);
	EQ(area[0], 5);
	EQ((long)shmat(id, area + 2 * PAGE, 0), (long)(area + 2 * PAGE));
	area[2 * PAGE] = 6;
	EQ(area[0], 6);
	EQ(shmdt(area), 0);
	EQ(area[2 * PAGE], 6);					/* the other one stays */
	EQ(shmdt(area + 2 * PAGE), 0);
	FAILS(shmat(id, (void *)-(long)PAGE, 0), EINVAL);
	FAILS(shmat(id, (void *)0x7ffffffff000, 0), ENOMEM);
	FAILS(shmat(-1, NULL, 0), EINVAL);
	FAILS(shmat(id + (1 << 15), NULL, 0), EINVAL);
	EQ(state_of(id).shm_nattch, 0);
	finish(id);
}

/* What is left of a mapping that was split goes by one shmdt. */
TEST(detach_what_is_left)
{
	int id = make(6 * PAGE, 0600);
	char *p = attach(id), *other;

	memset(p, 3, 6 * PAGE);
	EQ(munmap(p + 2 * PAGE, PAGE), 0);
	EQ(mprotect(p + 4 * PAGE, PAGE, PROT_READ), 0);
	other = mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	EQ(other - p, 2 * PAGE);
	other[0] = 1;
	CHECK(state_of(id).shm_nattch > 1);
	EQ(shmdt(p), 0);
	EQ(state_of(id).shm_nattch, 0);
	EQ(other[0], 1);
	munmap(other, PAGE);
	p = attach(id);
	EQ(munmap(p, PAGE), 0);					/* also where its beginning is gone */
	EQ(shmdt(p), 0);
	EQ(state_of(id).shm_nattch, 0);
	p = attach(id);
	other = mremap(p, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p - 64 * PAGE);
	EQ(other - p, -64 * PAGE);
	EQ(other[0], 3);
	EQ(state_of(id).shm_nattch, 1);
	FAILS(shmdt(p), EINVAL);
	EQ(shmdt(other), 0);
	finish(id);
}

TEST(read_only_and_executable)
{
	int status, id = make(PAGE, 0600);
	char *p = shmat(id, NULL, RDONLY_), *q = attach(id);

	q[0] = 7;
	EQ(p[0], 7);
	REFUSED(*(volatile char *)p = 1, SIGSEGV, SEGV_ACCERR, p);
	FAILS(mprotect(p, PAGE, RW), EACCES);
	FAILS(madvise(p, PAGE, 9), EACCES);
	EQ(madvise(q, PAGE, 9), 0);				/* MADV_REMOVE: a hole */
	EQ(p[0], 0);
	q[0] = (char)0xc3;					/* ret */
	REFUSED(((void (*)(void))q)(), SIGSEGV, SEGV_ACCERR, q);
	EQ(shmdt(p), 0);
	EQ(shmdt(q), 0);
	p = shmat(id, NULL, SHM_EXEC);
	((void (*)(void))p)();
	EQ(shmdt(p), 0);
	struct shmid_ds ds = state_of(id);
	ds.shm_perm.uid = 12345;
	ds.shm_perm.mode = 0400;
	EQ(shmctl(id, IPC_SET, &ds), 0);
	CHILD(status) {
		NEED(!setgid(12345) && !setuid(12345));
		FAILS(shmat(id, NULL, 0), EACCES);
		FAILS(shmat(id, NULL, RDONLY_ | SHM_EXEC), EACCES);
		p = shmat(id, NULL, RDONLY_);
		CHECK(p != (void *)-1);
		ds.shm_perm.mode = 0600;			/* whose it is may change that */
		EQ(shmctl(id, IPC_SET, &ds), 0);
		CHECK(shmat(id, NULL, 0) != (void *)-1);
	}
	EQ(status, 0);
	EQ(state_of(id).shm_nattch, 0);
	finish(id);
}

TEST(removed_while_attached)
{
	int status, id = shmget(KEY, PAGE, IPC_CREAT | 0600);
	char *p = attach(id);
	struct shmid_ds ds;

	p[0] = 9;
	finish(id);
	ds = state_of(id);
	EQ(ds.shm_perm.mode, 0600 | SHM_DEST);
	EQ(ds.shm_nattch, 1);
	FAILS(shmget(KEY, PAGE, 0), ENOENT);			/* the key is free again */
	CHILD(status) {
		char *q = attach(id);				/* but who knows the number may attach */
		EQ(q[0], 9);
		EQ(state_of(id).shm_nattch, 3);
	}
	EQ(status, 0);
	EQ(state_of(id).shm_nattch, 1);
	finish(id);						/* twice is no harm */
	EQ(shmdt(p), 0);
	FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
	id = make(PAGE, 0600);
	p = attach(id);
	finish(id);
	CHILD(status) {						/* the last one is who execs */
		EQ(state_of(id).shm_nattch, 2);
		EQ(munmap(p, PAGE), 0);
		p = attach(id);
		close(1);
		execl("/proc/self/exe", "shm", "no such case", NULL);
	}
	EQ(status, 0);
	EQ(state_of(id).shm_nattch, 1);
	munmap(p, PAGE);
	FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
	id = make(PAGE, 0600);
	CHILD(status) {
		attach(id);
		finish(id);
		kill(getpid(), SIGKILL);
	}
	EQ(WTERMSIG(status), SIGKILL);
	FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(exec_detaches)
{
	int status, id = make(PAGE, 0600);

	CHILD(status) {
		attach(id);
		close(1);
		execl("/proc/self/exe", "shm", "no such case", NULL);
	}
	EQ(status, 0);
	EQ(state_of(id).shm_nattch, 0);
	finish(id);
}

TEST(control)
{
	int id = make(PAGE + 1, 0600), status;
	struct shmid_ds ds;
	struct shminfo limits;
	struct { int used; unsigned long total, resident, swapped, attempts, successes; } info;
	char *p = attach(id);
	long unreadable = 8;

	p[0] = 1;
	FAILS(shmctl(id, 99, &ds), EINVAL);
	FAILS(shmctl(-1, IPC_INFO_, &ds), EINVAL);
	FAILS(shmctl(id, IPC_STAT, (void *)unreadable), EFAULT);
	FAILS(shmctl(id + (1 << 15), IPC_STAT, (void *)unreadable), EINVAL);
	FAILS(shmctl(id + (1 << 15), IPC_SET, (void *)unreadable), EFAULT);
	FAILS(shmctl(id + (1 << 15), IPC_RMID, NULL), EINVAL);
	FAILS(shmctl(id + (1 << 15), SHM_LOCK, NULL), EINVAL);
	EQ(shmctl(id & 0x7fff, SHM_STAT, &ds), id);
	EQ(ds.shm_segsz, PAGE + 1);
	FAILS(shmctl(0x7fff, SHM_STAT, &ds), EINVAL);
	FAILS(shmctl(0, IPC_INFO_, (void *)unreadable), EFAULT);
	CHECK(shmctl(0, IPC_INFO_, (void *)&limits) >= (id & 0x7fff));
	EQ(limits.shmmax, 18446744073692774399ul);
	EQ(limits.shmmin, 1);
	EQ(limits.shmmni, 4096);
	EQ(limits.shmseg, 4096);
	EQ(limits.shmall, 18446744073692774399ul);
	CHECK(shmctl(0, SHM_INFO, (void *)&info) >= (id & 0x7fff));
	CHECK(info.used >= 1);
	CHECK(info.total >= 2);
	CHECK(info.resident >= 1);
	EQ(shmctl(id, SHM_LOCK, NULL), 0);
	EQ(state_of(id).shm_perm.mode, 0600 | SHM_LOCKED);
	EQ(shmctl(id, SHM_LOCK, NULL), 0);
	EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
	EQ(state_of(id).shm_perm.mode, 0600);
	ds = state_of(id);
	ds.shm_perm.uid = 7;
	ds.shm_perm.gid = 8;
	ds.shm_perm.mode = 0177777;
	ds.shm_segsz = 1;
	EQ(shmctl(id, IPC_SET, &ds), 0);
	ds = state_of(id);
	EQ(ds.shm_perm.uid, 7);
	EQ(ds.shm_perm.gid, 8);
	EQ(ds.shm_perm.cuid, geteuid());
	EQ(ds.shm_perm.mode, 0777);
	EQ(ds.shm_segsz, PAGE + 1);
	ds.shm_perm.uid = (uid_t)-1;
	FAILS(shmctl(id, IPC_SET, &ds), EINVAL);
	CHILD(status) {
		struct rlimit none = { 0, 0 };
		NEED(!setgid(7) && !setuid(7));
		EQ(shmctl(id, SHM_LOCK, NULL), 0);
		EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
		NEED(!setrlimit(RLIMIT_MEMLOCK, &none));
		FAILS(shmctl(id, SHM_LOCK, NULL), EPERM);
		EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
	}
	EQ(status, 0);
	CHILD(status) {
		NEED(!setgid(7) && !setuid(9));
		FAILS(shmctl(id, SHM_UNLOCK, NULL), EPERM);
		CHECK(shmat(id, NULL, 0) != (void *)-1);	/* everybody may, by the mode */
	}
	EQ(status, 0);
	EQ(shmdt(p), 0);
	finish(id);
}

TEST(texts_of_proc)
{
	int id = shmget(KEY, 2 * PAGE + 1, IPC_CREAT | 0644);
	char *p = attach(id), expected[256], word[64];
	struct shmid_ds ds;

	p[0] = p[PAGE] = 1;
	ds = state_of(id);
	snprintf(word, sizeof word, " %d ", id);
	snprintf(expected, sizeof expected, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu", KEY, id, 0644,
		2ul * PAGE + 1, getpid(), getpid(), 1ul, geteuid(), getegid(), geteuid(), getegid(), (unsigned long)ds.shm_atime, 0ul,
		(unsigned long)ds.shm_ctime, 2ul * PAGE, 0ul);
	const char *line = line_with("/proc/sysvipc/shm", word);
	if (strcmp(line, expected))
		FAIL("'%s' is not '%s'", line, expected);
	line = line_with("/proc/sysvipc/shm", "key");
	EQ(strcmp(line, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
		"                   rss                  swap"), 0);
	line = line_with("/proc/self/maps", "SYSV");
	EQ(strtoul(line, NULL, 16), (unsigned long)p);
	CHECK(strstr(line, "/SYSV5eed1234 (deleted)"));
	CHECK(strstr(line, " rw-s 00000000 00:01 "));
	CHECK(strstr(line, word));
	CHECK(!strcmp(line_with("/proc/sys/kernel/shmmni", ""), "4096"));
	CHECK(!strcmp(line_with("/proc/sys/kernel/shmmax", ""), "18446744073692774399"));
	CHECK(!strcmp(line_with("/proc/sys/kernel/shmall", ""), "18446744073692774399"));
	EQ(shmdt(p), 0);
	finish(id);
}

/* As many as there may be, and then one. */
TEST(too_many)
{
	static int id[5000];
	int n = 0, more;

	while (n < 4200 && (id[n] = shmget(IPC_PRIVATE, 1, 0600)) >= 0)
		n++;
	more = errno;
	CHECK(n > 4000 && n <= 4096);
	EQ(more, ENOSPC);
	while (n > 0)
		finish(id[--n]);
}
