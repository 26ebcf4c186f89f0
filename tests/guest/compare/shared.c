/*
 * tests/guest/compare/shared.c - memfd_create, seals, fallocate, fadvise64, MADV_REMOVE and System V shared memory: all combinations of arguments that matter.
 *
 * It prints; what Linux prints, as root, is in shared.expected (tests/guest/guest.mk).  No addresses, no numbers of segments.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, KEEP_SIZE = 1, PUNCH_HOLE = 2, HUGETLB = 4 };

/* "ok", or the errno of a call that gave -1. */
static const char *said(long result)
{
	return result == -1 ? strerrorname_np(errno) : "ok";
}

/* The child's output comes whole. */
#define IN_CHILD for (pid_t pid_ = (fflush(stdout), fork()), once_ = 1; once_; once_ = 0, pid_ ? (void)waitpid(pid_, NULL, 0) : (fflush(stdout), _exit(0))) if (!pid_)

static int sealable(void)
{
	int fd = memfd_create("x", MFD_ALLOW_SEALING);

	ftruncate(fd, 2 * PAGE);
	return fd;
}

static void creation(void)
{
	for (unsigned flags = 0; flags < 64; flags++) {
		struct stat st = { .st_mode = 0 };

		if (flags & HUGETLB)
			continue;
		int fd = memfd_create("name", flags);
		printf("memfd_create(%u) %s", flags, said(fd));
		if (fd >= 0)
			printf(" seals %d mode %o cloexec %d", fcntl(fd, F_GET_SEALS), fstat(fd, &st) ? 0 : st.st_mode, fcntl(fd, F_GETFD));
		printf("\n");
		close(fd);
	}
}

/* What each set of seals lets through. */
static void seals(void)
{
	static char two[2 * PAGE];

	for (int set = 0; set <= 64; set++) {
		int fd = sealable();
		printf("seals %d: %s", set, said(fcntl(fd, F_ADD_SEALS, set)));
		printf(" now %d;", fcntl(fd, F_GET_SEALS));
		printf(" write %s", said(pwrite(fd, "x", 1, 10)));
		printf(" end %zd", pwrite(fd, two, 20, 2 * PAGE - 10));
		printf(" over %zd", pwrite(fd, two, 2 * PAGE, PAGE));
		printf(" far %s", said(pwrite(fd, "x", 1, 9 * PAGE)));
		ftruncate(fd, 2 * PAGE);
		printf(" down %s", said(ftruncate(fd, PAGE)));
		printf(" same %s", said(ftruncate(fd, lseek(fd, 0, SEEK_END))));
		printf(" up %s", said(ftruncate(fd, 20 * PAGE)));
		printf(" allocate %s", said(fallocate(fd, 0, 0, PAGE)));
		printf(" %s", said(fallocate(fd, 0, 0, 30 * PAGE)));
		printf(" keep %s", said(fallocate(fd, KEEP_SIZE, 0, 40 * PAGE)));
		printf(" punch %s", said(fallocate(fd, KEEP_SIZE | PUNCH_HOLE, 0, 1)));
		printf(" rw %s", said((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
		void *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		printf(" r %s", said((long)p));
		printf(" remove %s", said(madvise(p, PAGE, MADV_REMOVE)));
		printf(" later w %s", said(mprotect(p, PAGE, PROT_READ | PROT_WRITE)));
		printf(" private %s", said((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)));
		printf(" chmod %s", said(fchmod(fd, 0666)));
		printf(" again %s\n", said(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW)));
		close(fd);
	}
}

/* May it be sealed while it is mapped so? */
static void seals_and_mappings(void)
{
	for (int rights = 0; rights < 4; rights++)
		for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
			int fd = sealable();
			void *p = mmap(NULL, PAGE, rights, flags, fd, 0);
			printf("mapped %d %d:", rights, flags);
			for (int seal = 32; seal; seal /= 2)
				printf(" %d %s", seal, said(fcntl(fd, F_ADD_SEALS, seal)));
			munmap(p, PAGE);
			printf(" then %s\n", said(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)));
			close(fd);
		}
}

/* Files of all kinds.  The first three can be cut. */
enum { KINDS = 10 };
static const char *const kinds[KINDS] = { "memfd", "memfd to read", "file", "path", "pipe to read", "pipe to write", "null", "folder", "zero", "none" };

static void open_kinds(int fds[KINDS])
{
	char path[64];

	fds[0] = sealable();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
	fds[1] = open(path, O_RDONLY);
	fds[2] = open("file", O_RDWR | O_CREAT, 0600);
	fds[3] = open(path, O_PATH);
	pipe(fds + 4);
	fds[6] = open("/dev/null", O_RDWR);
	fds[7] = open(".", O_RDONLY);
	fds[8] = open("/dev/zero", O_RDWR);
	fds[9] = -1;
}

static void close_kinds(const int fds[KINDS])
{
	for (int i = 0; i < KINDS; i++)
		close(fds[i]);
	unlink("file");
}

static void allocating(void)
{
	static const long ranges[][2] = { { 0, PAGE }, { 0, 0 }, { -1, PAGE }, { 0, -1 }, { PAGE + 1, 3 * PAGE }, { 0x7fffffffffffffff, 1 }, { 0x7ffffffffffff000, 0xfff } };
	static const int modes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 0x10, 0x11, 0x13, 0x20, 0x40, 0x100 };
	int fds[KINDS];

	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
		int mode = modes[m];
		open_kinds(fds);
		for (int kind = 0; kind < KINDS; kind++) {
			printf("fallocate %#x %s:", mode, kinds[kind]);
			for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
				struct stat st = { .st_size = 0 };
				if (mode == 0 && i == 6)
					continue;		/* is that much, or more than there may be? */
				printf(" %s", said(fallocate(fds[kind], mode, ranges[i][0], ranges[i][1])));
				if (kind < 3 && !fstat(fds[kind], &st))
					printf("(%ld,%ld)", (long)st.st_size, (long)st.st_blocks * 512 / PAGE);
			}
			printf("\n");
		}
		close_kinds(fds);
	}
}

static void advising(void)
{
	int fds[KINDS];

	open_kinds(fds);
	for (int kind = 0; kind < KINDS; kind++)
		for (long advice = -1; advice < 8; advice++)
			printf("fadvise64 %s %ld: %s %s %s %s\n", kinds[kind], advice, said(syscall(SYS_fadvise64, fds[kind], 0L, 0L, advice)),
				said(syscall(SYS_fadvise64, fds[kind], -1L, 100L, advice)), said(syscall(SYS_fadvise64, fds[kind], 0L, -1L, advice)),
				said(syscall(SYS_fadvise64, fds[kind], PAGE * 100L, PAGE * 1L, advice)));
	close_kinds(fds);
}

static void removing(void)
{
	static const char *const names[] = { "private", "shared", "shared, read", "shared, none", "file, shared", "file, private", "file, to read", "nothing" };
	int fds[KINDS];
	char *at[8];

	open_kinds(fds);
	at[0] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at[1] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at[2] = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at[3] = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	at[4] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	at[5] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[0], 0);
	at[6] = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fds[1], 0);
	at[7] = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fds[1], 0);
	munmap(at[7], 2 * PAGE);
	for (int i = 0; i < 8; i++)
		printf("remove %s: %s %s %s %s %s\n", names[i], said(madvise(at[i], 2 * PAGE, MADV_REMOVE)), said(madvise(at[i], 1, MADV_REMOVE)),
			said(madvise(at[i] + 1, PAGE, MADV_REMOVE)), said(madvise(at[i], 0, MADV_REMOVE)), said(madvise(at[i], (size_t)-1, MADV_REMOVE)));
	close_kinds(fds);
}

static void getting(void)
{
	static const size_t sizes[] = { 0, 1, PAGE, PAGE + 1, (size_t)1 << 62, (size_t)1 << 63, (size_t)-1 };
	const key_t there = 0x7e571, absent = 0x7e572, keys[] = { IPC_PRIVATE, there, absent };
	static const char *const names[] = { "private", "there", "absent" };
	int id = shmget(there, PAGE, IPC_CREAT | 0600);

	for (int key = 0; key < 3; key++)
		for (int flags = 0; flags < 4; flags++)
			for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
				int got = shmget(keys[key], sizes[i], flags << 9 | 0600);
				printf("shmget %s %#o %#zx: %s%s\n", names[key], flags << 9, sizes[i], said(got), got == id ? " the same" : "");
				if (got >= 0 && got != id)
					shmctl(got, IPC_RMID, NULL);
			}
	shmctl(id, IPC_RMID, NULL);
}

static void attaching(void)
{
	static const char *const names[] = { "anywhere", "free", "free + 1", "taken", "before taken", "kernel", "top", "last", "1" };
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);

	for (int place = 0; place < 9; place++)
		for (int flags = 0; flags < 16; flags++) {
			char *area = mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			char *at[] = { NULL, area + 4 * PAGE, area + 4 * PAGE + 1, area, area - PAGE, (char *)0xffffffff80000000, (char *)0x7ffffffff000, (char *)-PAGE, (char *)1 };
			munmap(area + PAGE, 15 * PAGE);
			if (place == 8 && (flags & 6) == 2)
				continue;			/* the lowest page, which root may have on Linux */
			char *p = shmat(id, at[place], flags << 12), *base = (char *)((long)at[place] & -PAGE);
			printf("shmat %s %#o: %s", names[place], flags << 12, said((long)p));
			if (p != (char *)-1) {
				printf("%s; write later %s; run later %s; left %s", place && p == base ? " there" : "", said(mprotect(p, PAGE, PROT_READ | PROT_WRITE)),
					said(mprotect(p, PAGE, PROT_READ | PROT_EXEC)), said(shmdt(p + PAGE)));
				printf(" %s %s", said(shmdt(p)), said(shmdt(p)));
			}
			printf("\n");
			munmap(area, PAGE);
		}
	shmctl(id, IPC_RMID, NULL);
}

static void controlling(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0600), stale = shmget(IPC_PRIVATE, PAGE, 0600);
	const int ids[] = { id, stale, -1, 0x7fffffff, id + (1 << 15) };
	struct shmid_ds ds;

	shmctl(stale, IPC_RMID, NULL);
	shmctl(id, IPC_STAT, &ds);
	for (int command = -1; command < 20; command++)
		for (int i = 0; i < 5; i++) {
			char buffer[256] = "";
			if (command == IPC_RMID && i == 0)
				continue;
			memcpy(buffer, &ds, sizeof ds);
			printf("shmctl %d %d: %s", command, i, said(shmctl(ids[i], command, (void *)buffer)));
			printf(" %s\n", said(shmctl(ids[i], command, NULL)));
		}
	shmctl(id, IPC_RMID, NULL);
}

/* Who may do what: the owner, one of the group, others. */
static void rights(void)
{
	static const struct { uid_t uid; gid_t gid; } who[] = { { 100, 100 }, { 100, 999 }, { 999, 200 }, { 999, 999 } };

	static const int modes[] = { 0, 0400, 0200, 0100, 0600, 0700, 040, 020, 060, 070, 04, 06, 07, 0640, 0777 };

	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
		int mode = modes[m];
		int id = shmget(0x7e573, PAGE, IPC_CREAT | mode);
		struct shmid_ds ds = { .shm_perm = { .uid = 100, .gid = 200, .mode = mode } };

		shmctl(id, IPC_SET, &ds);
		for (int i = 0; i < 4; i++)
			IN_CHILD {
				setgid(who[i].gid);
				setuid(who[i].uid);
				printf("mode %o as %d.%d:", mode, who[i].uid, who[i].gid);
				for (int want = 0; want < 8; want++)
					printf(" %s", said(shmget(0x7e573, 1, want << 6)));
				printf(" at %s", said((long)shmat(id, NULL, 0)));
				printf(" %s", said((long)shmat(id, NULL, SHM_RDONLY)));
				printf(" %s", said((long)shmat(id, NULL, SHM_EXEC)));
				printf(" stat %s set %s lock %s\n", said(shmctl(id, IPC_STAT, &ds)), said(shmctl(id, IPC_SET, &ds)), said(shmctl(id, SHM_LOCK, NULL)));
			}
		shmctl(id, IPC_RMID, NULL);
	}
}

int main(void)
{
	creation();
	seals();
	seals_and_mappings();
	allocating();
	advising();
	removing();
	getting();
	attaching();
	controlling();
	rights();
	return 0;
}
