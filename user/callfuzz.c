/*
 * callfuzz - random system calls, valid, half valid and wild, in several processes at once.
 *
 * The calls are drawn from a table; a letter for each argument names the kind of value that it gets, and each kind has more good values than
 * bad ones.  The work is cut into batches: each runs in a session, a folder and an arena of its own and may die of what it asks for.
 * What a batch draws depends on the seed and its number alone.  The calls that it makes also come back changed by one another: with
 * instruction counting (run.sh --icount) even that repeats.
 *
 * Left out: what ends the machine, signals everybody, or changes the clock for all.  What is mounted is mounted in the batch's folder.
 *
 * A new call of the kernel's takes a line in the table; what the kernel does not have is told apart.
 *
 *	callfuzz [-v] [-f] SEED N [PROCESSES]	N calls; -v: says of each what it is, before it is made; -f: in many an allocation of the kernel fails (debug kernels)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "abi/faultline.h"

enum { TIOCGPTPEER_ = 0x5441, SHM_STAT_ANY = 15, SEM_STAT_ANY = 20, MSG_STAT_ANY = 13, F_ADD_SEALS_ = 1033, F_GET_SEALS_, PAGE = 4096, BATCH = 150, MAX_WORKERS = 32, MAX_KIN = 64, ARENA_PAGES = 64, TICK_NS = 4000000, STUCK_TICKS = 50, LOG_FD = 100, NULL_FD };
#define ARENA ((char *)0x10000000)

/*
 * Kinds: f descriptor  F number for a new one  d folder's descriptor  p path  N path whose name may change  b bytes to fill  c bytes to read  s their number  i small  w anything
 * z mostly zero  g signal  P process  a address to map  l its length  o open flags  m mode  t timespec  T timeval pair  v iovec  V their number  S signal set
 * 8 its size  9 clone3's  A action  x offset  R rights  M map flags  u user  k clock  q timer value  L limit  r resource  I ioctl  C fcntl  y its argument  D poll list
 * H shared segment  e at-flags  W wait flags  j futex  n text  E argument vector  B option of prctl  h seek  G arguments of clone3  X segment, set or queue: its key
 * J address of a socket  K its size  O family  Q type  U message  Z option of a socket  Y sigevent  1 place in the own folder  2 type of a file system  3 mount flags
 * ! flags of a new descriptor  4 operations on semaphores  5 message with its type  6 semaphore set  7 message queue  0 request of ptrace
 * + name of a POSIX message queue  = its attributes  # its descriptor
 */
static const struct call { const char *name; int number; const char *arguments; } calls[] = {
#define CALL(name, arguments) { #name, SYS_##name, arguments }
	CALL(read, "fbs"), CALL(write, "fcs"), CALL(open, "pom"), CALL(close, "F"), CALL(stat, "pb"), CALL(fstat, "fb"), CALL(lstat, "pb"),
	CALL(poll, "DVi"), CALL(lseek, "fxh"), CALL(mmap, "alRMfx"), CALL(mprotect, "alR"), CALL(munmap, "al"), CALL(brk, "w"),
	CALL(rt_sigaction, "gAA8"), CALL(rt_sigprocmask, "iSS8"), CALL(ioctl, "fIb"), CALL(pread64, "fbsx"), CALL(pwrite64, "fcsx"),
	CALL(readv, "fvV"), CALL(writev, "fvV"), CALL(access, "pi"), CALL(pipe, "b"), CALL(select, "ibbbT"), CALL(sched_yield, ""),
	CALL(dup, "f"), CALL(dup2, "fF"), CALL(pause, ""), CALL(nanosleep, "tb"), CALL(getitimer, "ib"), CALL(alarm, "i"), CALL(setitimer, "iqb"),
	CALL(getpid, ""), CALL(sendfile, "ffzs"), CALL(wait4, "PbWb"), CALL(kill, "Pg"), CALL(uname, "b"), CALL(fcntl, "fCy"), CALL(flock, "fi"),
	CALL(fsync, "f"), CALL(fdatasync, "f"), CALL(truncate, "px"), CALL(ftruncate, "fx"), CALL(getdents, "dbs"), CALL(getcwd, "bs"),
	CALL(chdir, "N"), CALL(fchdir, "d"), CALL(rename, "NN"), CALL(mkdir, "Nm"), CALL(rmdir, "N"), CALL(creat, "pm"), CALL(link, "NN"),
	CALL(unlink, "N"), CALL(symlink, "1N"), CALL(readlink, "pbs"), CALL(chmod, "Nm"), CALL(fchmod, "fm"), CALL(chown, "Nuu"),
	CALL(fchown, "fuu"), CALL(lchown, "Nuu"), CALL(umask, "m"), CALL(gettimeofday, "bb"), CALL(getrlimit, "rb"), CALL(getrusage, "ib"),
	CALL(sysinfo, "b"), CALL(times, "b"), CALL(getuid, ""), CALL(syslog, "ibs"), CALL(setpgid, "PP"), CALL(getppid, ""), CALL(getpgrp, ""),
	CALL(setsid, ""), CALL(setuid, "z"), CALL(setreuid, "zz"), CALL(setresuid, "zzz"), CALL(setresgid, "zzz"), CALL(getresuid, "bbb"),
	CALL(getgroups, "ib"), CALL(setgroups, "ib"), CALL(getpgid, "P"), CALL(getsid, "P"), CALL(rt_sigpending, "b8"), CALL(rt_sigtimedwait, "Sbt8"),
	CALL(rt_sigqueueinfo, "Pgc"), CALL(rt_sigsuspend, "S8"), CALL(sigaltstack, "cb"), CALL(utime, "Nc"), CALL(mknod, "Nmw"),
	CALL(personality, "w"), CALL(statfs, "pb"), CALL(fstatfs, "fb"), CALL(getpriority, "iP"), CALL(setpriority, "iPi"),
	CALL(sched_setparam, "Pc"), CALL(sched_getparam, "Pb"), CALL(sched_setscheduler, "Pic"), CALL(sched_getscheduler, "P"),
	CALL(sched_get_priority_max, "i"), CALL(sched_rr_get_interval, "Pb"), CALL(prctl, "Bwwww"), CALL(arch_prctl, "wb"),
	CALL(setrlimit, "rL"), CALL(chroot, "N"), CALL(sync, ""), CALL(settimeofday, "ww"), CALL(gettid, ""), CALL(readahead, "fxs"),
	CALL(setxattr, "Nncsi"), CALL(getxattr, "pnbs"), CALL(listxattr, "pbs"), CALL(tkill, "Pg"), CALL(time, "b"), CALL(futex, "bjitbi"), CALL(futex, "bjiibw"), CALL(clone3, "G9"),
	CALL(sched_setaffinity, "Psc"), CALL(sched_getaffinity, "Psb"), CALL(getdents64, "dbs"), CALL(set_tid_address, "b"),
	CALL(restart_syscall, ""), CALL(fadvise64, "fxsi"), CALL(clock_settime, "kw"), CALL(clock_gettime, "kb"), CALL(clock_getres, "kb"),
	CALL(clock_nanosleep, "kitb"), CALL(tgkill, "PPg"), CALL(utimes, "NT"), CALL(waitid, "iPbWb"), CALL(openat, "dpom"), CALL(mkdirat, "dNm"),
	CALL(mknodat, "dNmw"), CALL(fchownat, "dNuue"), CALL(futimesat, "dNT"), CALL(newfstatat, "dpbe"), CALL(unlinkat, "dNe"),
	CALL(renameat, "dNdN"), CALL(linkat, "dNdNe"), CALL(symlinkat, "1dN"), CALL(readlinkat, "dpbs"), CALL(fchmodat, "dNm"),
	CALL(faccessat, "dpi"), CALL(pselect6, "ibbbtz"), CALL(ppoll, "DVtS8"), CALL(set_robust_list, "bs"), CALL(get_robust_list, "Pbb"),
	CALL(utimensat, "dNte"), CALL(fallocate, "fixs"), CALL(dup3, "fFz"), CALL(pipe2, "b!"), CALL(preadv, "fvVxz"), CALL(pwritev, "fvVxz"),
	CALL(rt_tgsigqueueinfo, "PPgc"), CALL(prlimit64, "PrLb"), CALL(clock_adjtime, "kw"), CALL(syncfs, "f"), CALL(getcpu, "bbz"),
	CALL(renameat2, "dNdNi"), CALL(getrandom, "bsi"), CALL(execveat, "dpEEe"), CALL(execve, "pEE"), CALL(membarrier, "izz"),
	CALL(copy_file_range, "fzfzsz"), CALL(preadv2, "fvVxzi"), CALL(pwritev2, "fvVxzi"), CALL(statx, "dpeib"), CALL(close_range, "FFi"),
	CALL(faccessat2, "dpie"), CALL(rt_sigreturn, ""), CALL(fork, ""), CALL(vfork, ""), CALL(clone, "wzzzz"), CALL(exit, "i"), CALL(exit_group, "i"),
	CALL(faultstat, "iPbs"), CALL(vmcheck, "bs"), { "madvise", SYS_madvise, "ali" },
	CALL(memfd_create, "ni"), CALL(shmget, "Xsm"), CALL(shmat, "Hai"), CALL(shmdt, "a"), CALL(shmctl, "Hib"), { "unknown", 999, "www" },
	CALL(mremap, "allia"), CALL(msync, "ali"), CALL(mincore, "alb"), CALL(mlock, "al"), CALL(mlock2, "ali"), CALL(munlock, "al"), CALL(mlockall, "i"), CALL(munlockall, ""),
	CALL(getgid, ""), CALL(geteuid, ""), CALL(getegid, ""), CALL(setgid, "z"), CALL(setregid, "zz"), CALL(getresgid, "bbb"), CALL(setfsuid, "u"), CALL(setfsgid, "u"),
	CALL(sched_get_priority_min, "i"), CALL(adjtimex, "w"), CALL(reboot, "wwww"), CALL(sethostname, "cs"), CALL(setdomainname, "cs"), CALL(rseq, "bsiw"),
	CALL(sync_file_range, "fxsi"), { "fchmodat2", 452, "dNme" },
	CALL(lsetxattr, "Nncsi"), CALL(fsetxattr, "fncsi"), CALL(lgetxattr, "pnbs"), CALL(fgetxattr, "fnbs"), CALL(llistxattr, "pbs"), CALL(flistxattr, "fbs"),
	CALL(removexattr, "Nn"), CALL(lremovexattr, "Nn"), CALL(fremovexattr, "fn"), CALL(mount, "112" "3n"), CALL(umount2, "1i"),
	CALL(socket, "OQz"), CALL(socketpair, "OQzb"), CALL(bind, "fJK"), CALL(connect, "fJK"), CALL(listen, "fi"), CALL(accept, "fbb"), CALL(accept4, "fbb!"),
	CALL(sendto, "fcsiJK"), CALL(recvfrom, "fbsibb"), CALL(sendmsg, "fUi"), CALL(recvmsg, "fUi"), CALL(sendmmsg, "fUii"), CALL(recvmmsg, "fUiit"), CALL(shutdown, "fi"),
	CALL(getsockname, "fbb"), CALL(getpeername, "fbb"), CALL(setsockopt, "fiZcK"), CALL(getsockopt, "fiZbb"),
	CALL(epoll_create, "i"), CALL(epoll_create1, "!"), CALL(epoll_ctl, "fifc"), CALL(epoll_wait, "fbVi"), CALL(epoll_pwait, "fbViS8"), CALL(epoll_pwait2, "fbVtS8"),
	CALL(eventfd, "i"), CALL(eventfd2, "i!"), CALL(signalfd, "fS8"), CALL(signalfd4, "fS8!"), CALL(timerfd_create, "k!"), CALL(timerfd_settime, "fitb"), CALL(timerfd_gettime, "fb"),
	CALL(timer_create, "kYb"), CALL(timer_settime, "iitb"), CALL(timer_gettime, "ib"), CALL(timer_getoverrun, "i"), CALL(timer_delete, "i"),
	CALL(splice, "fzfzsi"), CALL(tee, "ffsi"), CALL(vmsplice, "fvVi"), CALL(inotify_init, ""), CALL(inotify_init1, "!"), CALL(inotify_add_watch, "fpw"), CALL(inotify_rm_watch, "fi"),
	CALL(semget, "Xim"), CALL(semop, "64i"), CALL(semtimedop, "64it"), CALL(semctl, "6iib"), CALL(msgget, "Xm"), CALL(msgsnd, "75sm"), CALL(msgrcv, "7bsim"), CALL(msgctl, "7ib"),
	CALL(pidfd_open, "Pi"), CALL(pidfd_send_signal, "fgzz"), CALL(pidfd_getfd, "ffz"), CALL(process_vm_readv, "PvVvVz"), CALL(process_vm_writev, "PvVvVz"),
	CALL(process_madvise, "fvViz"), CALL(ptrace, "0Pab"), CALL(unshare, "w"), CALL(setns, "fi"), CALL(kcmp, "PPiff"), CALL(capget, "cb"), CALL(capset, "cc"),
	CALL(sched_setattr, "Pcz"), CALL(sched_getattr, "Pbsz"), CALL(ustat, "wb"), CALL(sysfs, "iib"), CALL(openat2, "dpcs"), CALL(remap_file_pages, "alziz"),
	CALL(ioprio_get, "iP"), CALL(ioprio_set, "iPi"), { "futex_waitv", 449, "bViti" }, CALL(mbind, "aliciw"), CALL(get_mempolicy, "bbiai"), CALL(set_mempolicy, "ibi"),
	CALL(name_to_handle_at, "dpbbe"), CALL(open_by_handle_at, "dbo"), CALL(acct, "z"), CALL(vhangup, ""), CALL(ioctl, "fIb"),
	CALL(mq_open, "+om="), CALL(mq_unlink, "+"), CALL(mq_timedsend, "#cVit"), CALL(mq_timedreceive, "#bsbt"), CALL(mq_notify, "#Y"), CALL(mq_getsetattr, "#=b"),
};
enum { CALLS = sizeof calls / sizeof *calls };

/* Shared by all processes.  A batch that dies leaves what it has counted. */
static struct board {
	_Atomic unsigned long tried[CALLS], succeeded[CALLS], absent[CALLS], died, too_slow, no_memory;
	pid_t first, workers[MAX_WORKERS];			/* callfuzz itself; those that look after batches */
	_Atomic pid_t batch[MAX_WORKERS];			/* the running batch of each worker, for signals to siblings */
	_Atomic long made[MAX_WORKERS];				/* the calls that it has begun */
	_Atomic pid_t kin[MAX_WORKERS][MAX_KIN];		/* what it has forked */
} *board;

static unsigned long seed;
static int verbose, failing, worker, nworkers;
static uint64_t state;				/* of the random numbers */
static sigset_t a_child_has_ended;		/* SIGCHLD, which a worker has blocked */
static unsigned used;				/* slots of the arena that have been given out */

static uint64_t below(uint64_t n)
{
	uint64_t x = state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) % n;
}

/* No libc in between: errno, cancellation and its own idea of threads are not wanted here. */
static inline long call6(long number, const long a[6])
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile ("syscall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return result;
}

/* ---- arguments ------------------------------------------------------------------------------------------------------------------- */

#define PICK(...) ((const long[]){ __VA_ARGS__ }[below(sizeof (long[]){ __VA_ARGS__ } / sizeof(long))])

static long wild(void)
{
	static const long edges[] = { 0, 1, -1, 2, 7, 8, 255, 256, 4095, 4096, 4097, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, LONG_MAX, LONG_MIN,
		0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0xffffffff80000000, 0xfffffffffffff000, 0xdeadbeefdeadbeef };

	return below(3) ? edges[below(sizeof edges / sizeof *edges)] : (long)((below(1l << 32) << 32 | below(1l << 32)) >> below(64));
}

/* The arena: pages 0 to 31 can be written, 32 to 39 only read, 40 to 47 not at all, 48 to 55 are a file shorter than that, 56 on are not there. */
static void *slot(size_t size)
{
	char *at = ARENA + (used % 120) * 256;

	used += (unsigned)(size + 255) / 256;
	return at;
}

static long bytes(int writable)
{
	switch (below(24)) {
	case 0: return 0;
	case 1: return (long)(ARENA + 32 * PAGE - below(64));				/* runs into what is only read */
	case 2: return (long)(ARENA + 40 * PAGE - below(64));
	case 3: return (long)(ARENA + 40 * PAGE + below(8 * PAGE));
	case 4: return (long)(ARENA + 48 * PAGE + below(8 * PAGE));
	case 5: return (long)(ARENA + 56 * PAGE - below(2 * PAGE));
	case 6: return wild();
	case 7: return (long)(ARENA + (writable ? 0 : 32 * PAGE) + below(8 * PAGE));
	default: return (long)(ARENA + below(24) * PAGE + below(8) * 512);
	}
}

static long path(int changes)
{
	static char long_name[300], long_path[5000];
	static const char *const names[] = { "a", "b", "c", "dir", "dir/a", "dir/b", "dir/deep", "dir/deep/c", "link", "loop", "fifo", ".", "a", "b", "dir",
		"hole", "/proc/self/maps", "/proc/self/fd", "/proc/self/exe", "/proc", "/proc/1/stat",
		"/proc/meminfo", "/proc/self/status", "dir/", "a/", "a/b", "", "new",
		"new2", "dir/new", "dangling", "script", "garbage", "/proc/self/fd/3", "/proc/self/fd/6", "/proc/self/cwd/a", "./././a", "dir/../b",
		/* READ_ONLY: not for what changes names or owners, all would miss them */ "/etc/passwd", "/etc", "/bin/true", "/bin/busybox", "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/0", "/tmp", "/" };
	enum { READ_ONLY = 13 };

	if (!long_name[0]) {
		memset(long_name, 'n', sizeof long_name - 1);
		for (size_t i = 0; i < sizeof long_path - 1; i++)
			long_path[i] = "./"[i % 2];
	}
	switch (below(30)) {
	case 0: return bytes(0);
	case 1: return (long)long_name + (long)below(60);
	case 2: return (long)long_path + 2 * (long)below(600);
	default: return (long)names[below(sizeof names / sizeof *names - (changes ? READ_ONLY : 0))];
	}
}

static long descriptor(void)
{
	return below(12) ? (long)below(35) : PICK(-1, -100, 1023, 1024, 0x7fffffff, 255, 63, LONG_MIN);
}

static long process(void)
{
	switch (below(10)) {
	case 0: return board->batch[below((uint64_t)nworkers)];
	case 1: case 2: case 3: return board->kin[worker][below(6)];
	case 4: return PICK(99999, 32768, INT_MAX, INT_MIN, -99999, 0);
	case 5: return -getpid();
	default: return below(3) ? getpid() : 0;
	}
}

static long length(void)
{
	return below(4) ? (long)(PAGE * (1 + below(8))) : below(3) ? (long)below(1 << 20) : wild();
}

static long mapped[8];				/* what mmap and its kin have answered last */
static unsigned nmapped;

static long address(void)
{
	if (!below(4))
		return mapped[below(8)];
	return below(12) ? (long)(ARENA + below(ARENA_PAGES) * PAGE) : below(2) ? 0 : wild();
}

static long timespec(void)
{
	struct timespec *t = slot(2 * sizeof *t);

	for (int i = 0; i < 2; i++)
		t[i] = below(8) ? (struct timespec){ 0, (long)below(2000000) } : (struct timespec){ wild(), wild() };
	return below(10) ? (long)t : below(2) ? 0 : bytes(0);
}

static long timer_value(void)
{
	struct timeval *t = slot(2 * sizeof *t);

	for (int i = 0; i < 2; i++)
		t[i] = below(8) ? (struct timeval){ 0, (long)below(20000) } : (struct timeval){ wild(), wild() };
	return below(10) ? (long)t : bytes(0);
}

static long vector(void)
{
	struct iovec *v = slot(8 * sizeof *v);

	for (int i = 0; i < 8; i++)
		v[i] = (struct iovec){ (void *)bytes(1), below(10) ? below(3000) : (size_t)wild() };
	return below(10) ? (long)v : bytes(0);
}

static long strings(void)
{
	static char word[] = "true";
	long *v = slot(4 * sizeof *v);

	v[0] = (long)word;
	v[1] = below(4) ? 0 : bytes(0);
	v[2] = v[3] = 0;
	return below(8) ? (long)v : below(2) ? 0 : bytes(0);
}

static long signal_set(void)
{
	uint64_t *set = slot(sizeof *set);

	*set = 1ul << below(64) | (below(3) ? 0 : 1ul << below(64)) | (below(20) ? 0 : ~0ul);
	return below(8) ? (long)set : below(2) ? 0 : bytes(0);
}

static void on_signal(int signo)
{
	(void)signo;
}

__asm__ ("callfuzz_restorer: mov $15, %eax; syscall");
extern char callfuzz_restorer[];

static long action(void)
{
	unsigned long *a = slot(4 * sizeof *a);

	a[0] = (unsigned long)(below(6) ? (long)on_signal : PICK(0, 1, 2, wild()));
	a[1] = 0x04000000 | (below(2) ? 0 : 0x10000000) | (below(3) ? 0 : 4) | (below(3) ? 0 : 0x40000000) | (below(4) ? 0 : 0x08000000);
	a[2] = below(10) ? (unsigned long)callfuzz_restorer : (unsigned long)wild();
	a[3] = below(3) ? 0 : 1ul << below(64);
	return below(6) ? (long)a : below(2) ? 0 : bytes(0);
}

static long limit(void)
{
	unsigned long *v = slot(2 * sizeof *v);

	v[0] = below(3) ? 1ul << below(40) : (unsigned long)wild();
	v[1] = below(3) ? ~0ul : (unsigned long)wild();
	return below(6) ? (long)v : 0;
}

static long poll_list(void)
{
	struct pollfd *p = slot(8 * sizeof *p);

	for (int i = 0; i < 8; i++)
		p[i] = (struct pollfd){ (int)descriptor(), (short)below(0x2000), 0 };
	return below(10) ? (long)p : bytes(1);
}

static long fcntl_argument(void)
{
	struct flock *l = slot(sizeof *l);

	*l = (struct flock){ .l_type = (short)below(4), .l_whence = (short)below(4), .l_start = below(4) ? (long)below(100) : wild(),
		.l_len = below(4) ? (long)below(100) : wild() };
	return below(2) ? (long)l : below(3) ? (long)below(4096) : wild();
}

/* The number of the System V segment, set of semaphores or message queue with this index, or an errno; *status is the kernel's description of it. */
enum ipc { SEGMENT, SEMAPHORES, QUEUE };
static long ipc_id(enum ipc what, long index, long status[16])
{
	switch (what) {
	case SEGMENT: return call6(SYS_shmctl, (long[6]){ index, SHM_STAT_ANY, (long)status });
	case SEMAPHORES: return call6(SYS_semctl, (long[6]){ index, 0, SEM_STAT_ANY, (long)status });
	default: return call6(SYS_msgctl, (long[6]){ index, MSG_STAT_ANY, (long)status });
	}
}

static long ipc_some(enum ipc what)
{
	return ipc_id(what, (long)below(6), slot(128));
}

static long semaphore_operations(void)
{
	struct { unsigned short number; short change, flags; } *o = slot(8 * sizeof *o);

	for (int i = 0; i < 8; i++) {
		o[i].number = (unsigned short)below(6);
		o[i].change = (short)(below(4) - 1);
		o[i].flags = (short)(below(8) ? 04000 : 0) | (short)(below(3) ? 0 : 010000);
	}
	return (long)o;
}

static long message_with_type(void)
{
	long *m = slot(1024);

	m[0] = below(10) ? 1 + (long)below(3) : wild();
	return (long)m;
}

static long socket_address(void)
{
	static const char *const names[] = { "sock", "a", "dir/sock", "\0abstract", "\0b", "", "no/sock", "link" };
	struct { unsigned short family; char path[108]; } *a = slot(sizeof *a);

	memset(a, 0, sizeof *a);
	a->family = (unsigned short)(below(10) ? 1 : below(12));
	const char *name = names[below(8)];
	memcpy(a->path, name, *name ? strlen(name) : 9);
	return below(10) ? (long)a : bytes(0);
}

/* One that carries a descriptor, too. */
static long message(void)
{
	struct { long name, name_size, vector, count, control, control_size, flags; } *m = slot(sizeof *m);
	struct { long size; int level, type, fd[2]; } *c = slot(sizeof *c);

	c->size = 20 + (long)below(2) * 4;
	c->level = below(10) ? 1 : (int)wild();
	c->type = below(10) ? 1 + (int)below(2) : (int)wild();
	c->fd[0] = (int)descriptor();
	c->fd[1] = (int)descriptor();
	m->name = below(3) ? 0 : socket_address();
	m->name_size = below(3) ? (long)below(111) : (long)(int)wild();
	m->vector = vector();
	m->count = below(10) ? (long)below(9) : wild();
	m->control = below(2) ? 0 : (long)c;
	m->control_size = !m->control ? 0 : below(10) ? 24 : wild();
	m->flags = 0;
	return below(10) ? (long)m : bytes(1);
}

static long sigevent(void)
{
	struct { long value; int signo, notify, tid, pad[11]; } *e = slot(sizeof *e);

	memset(e, 0, sizeof *e);
	e->signo = below(10) ? (int)PICK(SIGALRM, SIGUSR1, 34, 40) : (int)below(70);
	e->notify = below(10) ? (int)PICK(0, 0, 1, 4) : (int)wild();
	e->tid = (int)process();
	return below(3) ? (long)e : 0;
}

/* For mounts and the links that lead there: never a place beyond the batch's folder, which is removed with all that is in it. */
static long own_folder(void)
{
	static const char *const names[] = { "dir", "dir/deep", "a", "new", "link", "dir", "dir/deep", "", "loop" };

	return (long)names[below(9)];
}

static const char *const queue_names[] = { "callfuzz-1", "callfuzz-2", "callfuzz-3", "callfuzz-4" };
static int queue_descriptor;
enum { QUEUE_NAMES = sizeof queue_names / sizeof *queue_names };

static long queue_name(void)
{
	return below(10) ? (long)queue_names[below(QUEUE_NAMES)] : below(2) ? (long)((const char *const[]){ "", ".", "a/b", "/a" })[below(4)] : bytes(0);
}

static long queue_attributes(void)
{
	long *a = slot(8 * sizeof *a);

	a[0] = below(2) ? 0 : below(4) ? O_NONBLOCK : wild();
	a[1] = below(6) ? (long)below(20) : wild();
	a[2] = below(6) ? (long)below(700) : wild();
	return below(3) ? (long)a : below(2) ? 0 : bytes(0);
}

/* No CLONE_VM or CLONE_PARENT: two on one stack destroy each other. */
static long clone3_arguments(void)
{
	uint64_t *a = slot(12 * sizeof *a);

	memset(a, 0, 12 * sizeof *a);
	a[0] = below(4) ? (uint64_t)PICK(0, 0, CLONE_FILES, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, 1l << 32) : (uint64_t)wild() & ~(uint64_t)(CLONE_VM | CLONE_PARENT);
	a[2] = (uint64_t)bytes(1);
	a[3] = (uint64_t)bytes(1);
	a[4] = (uint64_t)PICK(SIGCHLD, SIGCHLD, SIGCHLD, 0, 64, 65);
	if (!below(6))
		a[5 + below(7)] = (uint64_t)wild();
	return (long)a;
}

static long argument(char kind)
{
	if (!below(60))
		return wild();
	switch (kind) {
	case 'f': return descriptor();
	case 'F': return below(12) ? 8 + (long)below(44) : descriptor();
	case 'd': return below(3) ? PICK(AT_FDCWD, AT_FDCWD, 5) : descriptor();
	case 'p': return path(0);
	case 'N': return path(1);
	case 'b': return bytes(1);
	case 'c': return bytes(0);
	case 's': return below(4) ? (long)below(600) : below(4) ? (long)below(3 * PAGE) : wild();
	case 'i': return below(10) ? (long)below(6) : wild();
	case 'w': return wild();
	case 'z': return below(10) ? 0 : below(2) ? wild() : bytes(1);
	case 'g': return below(10) ? (long)PICK(0, 0, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, 34, 40, 64, SIGPIPE, SIGTERM) : (long)below(70);
	case 'P': return process();
	case 'a': return address();
	case 'l': return length();
	case 'o': return (long)below(4) | PICK(0, 0, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_CLOEXEC) | O_NONBLOCK;
	case 'm': return below(3) ? (long)PICK(0644, 0755, 0777, S_IFIFO | 0600, S_IFREG | 0600) : (long)below(0x20000);
	case 't': return timespec();
	case 'T': case 'q': return timer_value();
	case 'v': return vector();
	case 'V': return below(10) ? (long)below(9) : wild();
	case 'S': return signal_set();
	case '9': return below(20) ? PICK(64, 80, 88, 96) : wild();
	case '8': return below(30) ? 8 : wild();
	case 'A': return action();
	case 'x': return below(3) ? (long)below(9000) : below(2) ? (long)below(1l << 33) : wild();
	case 'R': return below(20) ? (long)below(8) : wild();
	case 'M': return below(15) ? (long)PICK(MAP_PRIVATE, MAP_SHARED) | PICK(MAP_ANONYMOUS, MAP_ANONYMOUS, 0) | PICK(MAP_FIXED, 0, MAP_NORESERVE, MAP_GROWSDOWN, MAP_POPULATE)
		: wild();
	case 'u': return below(4) ? (long)PICK(0, -1, 1000) : wild();
	case 'k': return below(10) ? (long)below(12) : wild();
	case 'L': return limit();
	case 'r': return below(10) ? (long)below(16) : wild();
	case 'I': return PICK(TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TIOCGPGRP, TIOCGSID, TIOCSPGRP, TIOCSCTTY, TIOCNOTTY, TIOCSWINSZ, TIOCOUTQ, TCSETS, TCSETSF, TCFLSH, TCXONC, TIOCSTI, TIOCEXCL, TIOCNXCL,
		TIOCGPTN, TIOCSPTLCK, TIOCPKT, TIOCGPTPEER_, wild());
	case 'C': return below(15) ? (long)PICK(F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_GETOWN, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ,
		F_ADD_SEALS_, F_GET_SEALS_) : wild();
	case 'y': return fcntl_argument();
	case 'D': return poll_list();
	case 'e': return PICK(0, 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, wild());
	case 'W': return below(10) ? (long)PICK(WNOHANG, WNOHANG | WUNTRACED, 0, WEXITED | WNOHANG, WEXITED | WNOHANG | WNOWAIT) : wild();
	case 'j': return below(10) ? (long)below(14) | PICK(0, 128) : wild();
	case 'G': return clone3_arguments();
	case 'n': return below(10) ? (long)"user.x" : bytes(0);
	case 'E': return strings();
	case 'B': return below(4) ? (long)below(60) : wild();
	case 'H': return ipc_some(SEGMENT);
	case '6': return ipc_some(SEMAPHORES);
	case '7': return ipc_some(QUEUE);
	case 'X': return below(3) ? (long)below(4) : wild();
	case '4': return semaphore_operations();
	case '5': return message_with_type();
	case 'J': return socket_address();
	case 'K': return below(3) ? PICK(2, 4, 7, 8, 12, 16, 110) : below(6) ? (long)below(128) : wild();
	case 'O': return below(10) ? 1 : (long)below(45);
	case 'Q': return below(10) ? (long)PICK(1, 2, 5) | PICK(O_NONBLOCK, O_NONBLOCK, O_NONBLOCK | O_CLOEXEC, 0) : wild();
	case 'U': return message();
	case 'Z': return below(10) ? (long)below(70) : wild();
	case 'Y': return sigevent();
	case '!': return below(20) ? PICK(0, O_NONBLOCK, O_CLOEXEC, O_NONBLOCK | O_CLOEXEC) : wild();
	case '1': return own_folder();
	case '2': return (long)((const char *const[]){ "tmpfs", "tmpfs", "proc", "sysfs", "ext4", "" })[below(6)];
	case '3': return PICK(0, 0, 1, 2, 4, 8, 4096, 4096 | 32, 8192, 32, 32 | 1, 1l << 18, 1l << 20);
	case '+': return queue_name();
	case '#': return below(4) ? queue_descriptor : descriptor();
	case '=': return queue_attributes();
	case '0': return below(10) ? (long)PICK(0, 1, 2, 3, 4, 5, 7, 8, 12, 13, 14, 15, 16, 17, 24, 0x4200, 0x4201, 0x4202, 0x4206, 0x4207, 0x4208) : wild();
	case 'h': return below(10) ? (long)below(5) : wild();
	}
	abort();
}

/* ---- threads ---------------------------------------------------------------------------------------------------------------------- */

static void one_call(int depth);

enum { THREADS = 4, THREAD_STACK = 65536 };
static char thread_stacks[THREADS][THREAD_STACK] __attribute__((aligned(16)));
static pid_t thread_on[THREADS];		/* the kernel clears it when the stack is free again */

static int thread(void *depth)
{
	for (uint64_t n = below(30); n > 0; n--)
		one_call((int)(long)depth + 1);
	return 0;
}

/* One that makes calls beside the others.  What libc keeps for a thread they have in common: nothing here uses it. */
static void begin_thread(int depth)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	int i = (int)below(THREADS);

	if (!__atomic_exchange_n(&thread_on[i], -1, __ATOMIC_SEQ_CST) && clone(thread, thread_stacks[i] + THREAD_STACK, flags, (void *)(long)depth, &thread_on[i], NULL, &thread_on[i]) < 0)
		thread_on[i] = 0;
}

/* ---- one call --------------------------------------------------------------------------------------------------------------------- */

/* What a forked process does: a few calls, and its end. */
static void __attribute__((noreturn, noinline)) child(int depth)
{
	pid_t me = getpid();

	for (int i = 0; i < MAX_KIN; i++)
		if (!board->kin[worker][i]) {
			board->kin[worker][i] = me;
			break;
		}
	state ^= (uint64_t)(depth + 1) << 32;
	for (uint64_t n = below(8); n > 0; n--)
		one_call(depth + 1);
	_exit(0);
}

/* What would hit all, or end the batch or make most of its paths useless too soon, or takes long. */
static int harmful(int number, const long a[6])
{
	switch (number) {
	case SYS_setpriority: case SYS_ioprio_set: return (int)a[0] > 1;		/* all processes of a user */
	case SYS_fcntl: return a[1] == F_SETOWN;
	case SYS_settimeofday: case SYS_adjtimex: return a[0] >= PAGE && a[0] < 0x800000000000;	/* the clock is everybody's */
	case SYS_clock_settime: case SYS_clock_adjtime: return a[1] >= PAGE && a[1] < 0x800000000000;
	case SYS_vmcheck: return below(10) != 0;	/* all wait for it */
	case SYS_reboot: return (unsigned)a[0] == 0xfee1dead;
	case SYS_chdir: case SYS_fchdir: case SYS_exit: case SYS_exit_group: case SYS_pause: case SYS_rt_sigreturn: case SYS_setuid: case SYS_chroot: return below(20) != 0;
	default: return 0;
	}
}

/* Those who were there before, or all, or a worker. */
static int out_of_bounds(int pid)
{
	int found = labs(pid) <= board->first;

	for (int i = 0; i < nworkers && !found; i++)
		found = labs(pid) == board->workers[i];
	return found;
}

static int forks(int number) { return number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3; }

static void __attribute__((noinline)) one_call(int depth)
{
	const struct call *c = &calls[below(CALLS)];
	long a[6] = { 0 };

	if (depth > 3 && forks(c->number))
		return;
	if (c->number == SYS_clone && below(3)) {
		begin_thread(depth);
		return;
	}
	for (int i = 0; c->arguments[i]; i++) {
		a[i] = argument(c->arguments[i]);
		if (c->arguments[i] == 'P' && out_of_bounds((int)a[i]))
			a[i] = 0;
	}
	if (c->number == SYS_clone)
		a[0] = below(4) ? SIGCHLD | PICK(0, 0, CLONE_FS, CLONE_FILES, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, CLONE_SIGHAND, CLONE_THREAD)
			: a[0] & ~(long)(CLONE_VM | CLONE_PARENT);	/* two on one stack destroy each other */
	if (harmful(c->number, a))
		return;
	if (verbose)
		dprintf(LOG_FD, "%d: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", getpid(), c->name, a[0], a[1], a[2], a[3], a[4], a[5]);
	board->tried[c - calls]++;
	board->made[worker]++;
	if ((c->number == SYS_execve || c->number == SYS_execveat) && below(4)) {
		long pid = call6(SYS_fork, (long[6]){ 0 });		/* most that succeed shall not end the batch */
		if (pid != 0)
			return;
		call6(c->number, a);
		_exit(1);
	}
	if (failing && !below(6))
		call6(SYS_allocfail, (long[6]){ 1 + (long)below(below(2) ? 4 : 30), ALLOCFAIL_SELF });
	long result = call6(c->number, a);
	if (failing)
		call6(SYS_allocfail, (long[6]){ 0, ALLOCFAIL_SELF });
	if ((result > PAGE || result < -4095) && (c->number == SYS_mmap || c->number == SYS_mremap || c->number == SYS_shmat))
		mapped[nmapped++ % 8] = result;
	board->no_memory += result == -ENOMEM;
	board->absent[c - calls] += result == -ENOSYS;
	if (result == 0 && forks(c->number))
		child(depth);
	if (result >= 0 || result < -4095)
		board->succeeded[c - calls]++;
}

/* ---- batches ------------------------------------------------------------------------------------------------------------------------ */

static void put_file(const char *name, const char *text, int mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, mode);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}

/* The folder's files, and descriptors 3 to 34 as the tables of kinds expect them. */
static void furnish(void)
{
	for (int fd = 0; fd < 3; fd++)
		dup2(NULL_FD, fd);
	for (int fd = 3; fd < 100; fd++)
		close(fd);
	put_file("a", "some text, which is short\n", 0644);
	put_file("b", "more", 0600);
	put_file("script", "#!/bin/true\n", 0755);
	put_file("garbage", "\177ELF\2\1\1 and then nothing that would be a program", 0755);
	mkdir("dir", 0755);
	mkdir("dir/deep", 0755);
	put_file("dir/a", "in a folder", 0644);
	mkfifo("fifo", 0600);
	if (symlink("a", "link") || symlink("loop", "loop") || symlink("nowhere", "dangling") || truncate("b", 20000))
		perror("furnish");
	static const struct { const char *name; int flags; } first[] = { { "a", O_RDWR }, { "b", O_RDWR }, { "dir", O_RDONLY }, { "/etc/passwd", O_RDONLY },
		{ "/dev/null", O_RDWR }, { "/dev/zero", O_RDWR }, { "/dev/urandom", O_RDWR }, { "/proc/self/maps", O_RDONLY }, { "fifo", O_RDWR | O_NONBLOCK },
		{ "/proc", O_RDONLY }, { "/bin/busybox", O_RDONLY }, { "/proc/self/stat", O_RDONLY }, { "/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK } };
	for (size_t i = 0; i < sizeof first / sizeof *first; i++)
		open(first[i].name, first[i].flags);
	int ends[2];
	for (int i = 0; i < 2; i++)
		if (pipe2(ends, i ? O_NONBLOCK : 0))
			perror("pipe2");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends))
		perror("socketpair");
	struct sockaddr_un name = { AF_UNIX, "sock" };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(server, (struct sockaddr *)&name, sizeof name) || listen(server, 3))
		perror("listen");
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), zero = 0;
	if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) || ioctl(master, TIOCGPTPEER_, O_RDWR | O_NONBLOCK) < 0)
		perror("/dev/ptmx");
	const sigset_t *all = &(sigset_t){ { ~0ul } };
	const int flags = O_NONBLOCK;
	if (epoll_create1(0) < 0 || eventfd(1, flags) < 0 || timerfd_create(CLOCK_MONOTONIC, flags) < 0 || signalfd(-1, all, flags) < 0 || inotify_init1(flags) < 0
	    || memfd_create("memfd", MFD_ALLOW_SEALING) < 0 || syscall(SYS_pidfd_open, getpid(), 0) < 0)
		perror("furnish");
	if (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&name, sizeof name))
		perror("connect");
	const long small[8] = { 0, 4, 64 };
	queue_descriptor = (int)syscall(SYS_mq_open, queue_names[0], O_CREAT | O_RDWR | O_NONBLOCK, 0666, small);
	if (queue_descriptor < 0)
		perror("mq_open");
}

static void lay_out_arena(void)
{
	const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	munmap(ARENA, ARENA_PAGES * PAGE);
	mmap(ARENA, 32 * PAGE, PROT_READ | PROT_WRITE, fixed, -1, 0);
	mmap(ARENA + 32 * PAGE, 8 * PAGE, PROT_READ, fixed, -1, 0);
	mmap(ARENA + 40 * PAGE, 8 * PAGE, PROT_NONE, fixed, -1, 0);
	mmap(ARENA + 48 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, 4, 0);
}

static void __attribute__((noreturn)) batch(uint64_t number, long n)
{
	state = seed * 1000003 + number;
	sigprocmask(SIG_UNBLOCK, &a_child_has_ended, NULL);
	setsid();
	put_file("/proc/self/oom_score_adj", "1000", 0);	/* not those who watch */
	furnish();
	lay_out_arena();
	while (n-- > 0)
		one_call(0);
	_exit(0);
}

/* What has been mounted there goes first. */
static void remove_all(const char *name)
{
	while (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		continue;

	struct stat st;
	DIR *d = lstat(name, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(name) : NULL;
	struct dirent *e;
	while (d && (e = readdir(d))) {
		char inner[600];
		snprintf(inner, sizeof inner, "%s/%s", name, e->d_name);
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_all(inner);
	}
	if (d)
		closedir(d);
	if (remove(name) && errno != ENOENT)
		perror(name);
}

/* To all that belong to the batch, by its session and by what they have said of themselves. */
static void signal_batch(int signo)
{
	for (int i = 0; i < MAX_KIN; i++)
		if (board->kin[worker][i] > 1)
			kill(board->kin[worker][i], signo);
	if (board->batch[worker] > 1) {
		kill(-board->batch[worker], signo);
		kill(board->batch[worker], signo);
	}
}

/* Waits for a child's end, a tick at most: was it as long as that? */
static int tick_passes(void)
{
	return sigtimedwait(&a_child_has_ended, NULL, &(struct timespec){ 0, TICK_NS }) < 0;
}

struct progress { long made; unsigned still; };

/*
 * At each tick: a batch that has made no calls since the last one sleeps, or waits for a processor.  Signals end most sleeps, though it may have blocked or ignored some;
 * what no signal ends goes on for so many ticks, and is the end of the batch.
 */
static void urge_on(struct progress *p)
{
	static const int signals[] = { SIGALRM, SIGALRM, SIGUSR1, SIGURG, SIGCONT, SIGUSR2, SIGWINCH };

	if (board->made[worker] != p->made) {
		*p = (struct progress){ .made = board->made[worker] };
	} else if (++p->still < STUCK_TICKS) {
		signal_batch(signals[p->still % (sizeof signals / sizeof *signals)]);
	} else {
		board->too_slow += p->still == STUCK_TICKS;
		signal_batch(SIGKILL);
	}
}

/* Waits for the batch and for all that it left behind: orphans come to the worker. */
static void end_batch(pid_t pid)
{
	struct progress progress = { 0 };
	int status;
	pid_t gone;

	while ((gone = waitpid(-1, &status, WNOHANG | __WALL)) != pid || WIFSTOPPED(status)) {
		if (gone > 0 && WIFSTOPPED(status))		/* one that has asked to be traced */
			ptrace(PTRACE_DETACH, gone, 0, 0);
		if (gone == 0 && tick_passes())
			urge_on(&progress);
	}
	if (WIFSIGNALED(status))
		board->died++;
	for (;;) {
		signal_batch(SIGKILL);
		gone = waitpid(-1, &status, WNOHANG | __WALL);
		if (gone < 0 && errno == ECHILD)
			break;
		if (gone == 0)
			tick_passes();
	}
	board->batch[worker] = 0;
	memset(board->kin[worker], 0, sizeof board->kin[worker]);
}

/* Signals that urge a batch on come as soon as there is one. */
static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	for (int signo = 1; signo < 32; signo++)
		if (signo != SIGSEGV && signo != SIGBUS && signo != SIGILL && signo != SIGFPE && signo != SIGTERM)
			sigaction(signo, &action, NULL);
}

static void __attribute__((noreturn)) work(long ncalls)
{
	char folder[64];

	board->workers[worker] = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setpgid(0, 0);
	handle_signals();
	sigemptyset(&a_child_has_ended);
	sigaddset(&a_child_has_ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &a_child_has_ended, NULL);
	snprintf(folder, sizeof folder, "/tmp/callfuzz.%d.%d", getppid(), worker);
	for (uint64_t number = (uint64_t)worker << 32; ncalls > 0; number++) {
		if (mkdir(folder, 0755) || chdir(folder)) {
			perror(folder);
			_exit(1);
		}
		board->made[worker] = 0;
		pid_t pid = fork();
		if (pid == 0)
			batch(number, ncalls < BATCH ? ncalls : BATCH);
		if (pid > 0) {
			board->batch[worker] = pid;
			end_batch(pid);
		}
		ncalls -= 1 + board->made[worker];
		if (chdir("/"))
			perror("/");
		remove_all(folder);
	}
	_exit(0);
}

/* System V's objects belong to no process, and would stay: those that were not there before. */
enum { IPC_INDEXES = 4096, IPC_KINDS = QUEUE + 1 };
static long ipc_before[IPC_KINDS][IPC_INDEXES];

static void note_ipc(void)
{
	long status[16];

	for (int what = 0; what < IPC_KINDS; what++)
		for (long index = 0; index < IPC_INDEXES; index++)
			ipc_before[what][index] = ipc_id((enum ipc)what, index, status);
}

static void remove_ipc(void)
{
	enum { IPC_RMID = 0 };
	static const int control[] = { [SEGMENT] = SYS_shmctl, [SEMAPHORES] = SYS_semctl, [QUEUE] = SYS_msgctl };
	long status[16];

	for (int what = 0; what < IPC_KINDS; what++)
		for (long index = 0; index < IPC_INDEXES; index++) {
			long id = ipc_id((enum ipc)what, index, status);
			if (id >= 0 && id != ipc_before[what][index])
				call6(control[what], (long[6]){ id, IPC_RMID, IPC_RMID });
		}
	DIR *d = opendir("/dev/mqueue");		/* also those that wild bytes have named */
	for (struct dirent *e; d && (e = readdir(d)); )
		if (e->d_name[0] != '.')
			syscall(SYS_mq_unlink, e->d_name);
	if (d)
		closedir(d);
}

/* What the kernel does not have is told apart. */
static int is_absent(int i) { return board->tried[i] && board->tried[i] == board->absent[i]; }

static int report(void)
{
	unsigned long tried = 0, succeeded = 0, absent = 0, kinds = 0;
	int column = 0;

	for (int i = 0; i < CALLS; i++) {
		if (is_absent(i)) {
			absent += board->tried[i];
			continue;
		}
		tried += board->tried[i];
		succeeded += board->succeeded[i];
		kinds++;
		printf("%-22s %8lu of %8lu%s", calls[i].name, board->succeeded[i], board->tried[i], ++column % 3 ? "    " : "\n");
	}
	puts(column % 3 ? "\n" : "");
	if (absent) {
		printf("not there:");
		for (int i = 0; i < CALLS; i++)
			if (is_absent(i))
				printf(" %s", calls[i].name);
		printf(" (%lu calls)\n", absent);
	}
	printf("%lu of %lu calls succeeded (%lu %%), of %lu kinds; %lu had no memory; %lu batches died, %lu were too slow\n", succeeded, tried,
	       tried ? 100 * succeeded / tried : 0, kinds, board->no_memory, board->died, board->too_slow);
	return tried == 0;
}

int main(int argc, char **argv)
{
	pid_t pids[MAX_WORKERS];
	int failed = 0;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		verbose |= !strcmp(argv[1], "-v");
		failing |= !strcmp(argv[1], "-f");
	}
	nworkers = argc > 3 ? atoi(argv[3]) : 4;
	if (argc < 3 || nworkers < 1 || nworkers > MAX_WORKERS) {
		fputs("usage: callfuzz [-v] [-f] SEED N [PROCESSES]\nMakes N random system calls.\n", stderr);
		return 2;
	}
	seed = strtoul(argv[1], NULL, 0);
	long n = atol(argv[2]);
	int null = open("/dev/null", O_RDWR);
	if (dup2(null, NULL_FD) < 0 || dup2(2, LOG_FD) < 0) {
		perror("/dev/null");
		return 1;
	}
	if (failing && syscall(SYS_allocfail, 0, ALLOCFAIL_SELF) < 0) {
		perror("callfuzz: -f");
		return 1;
	}
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	note_ipc();
	board->first = getpid();
	for (worker = 0; worker < nworkers; worker++) {
		pids[worker] = fork();
		if (pids[worker] == 0)
			work((n + nworkers - 1) / nworkers);
	}
	for (int i = 0; i < nworkers; i++) {
		int status = 1;
		if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || status) {
			fprintf(stderr, "callfuzz: worker %d ended with status %#x\n", i, (unsigned)status);
			failed = 1;
		}
	}
	remove_ipc();
	return report() || failed;
}
