/*
 * tests/guest/tap.h - a small frame for test programs that run in the guest.
 *
 * A program has cases:  TEST(name) { CHECK(...); EQ(a, b); }.  Each runs in a forked child of its own, with a time limit; what it leaves
 * behind is looked at from outside: the kernel checks itself (vmcheck), and there must be as many frames, tables, page records, heap bytes, spaces,
 * tasks, regions and open files as before.  The result is TAP on stdout.
 *
 * The programs run on Linux as well, which is how we know that what they expect is Linux's behaviour: there, what needs Faultline's own calls
 * is skipped.
 *
 *	./program [name...]	runs all cases, or those that are named
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "abi/faultline.h"

enum { PAGE = 4096, CASE_SECONDS = 60, SKIPPED = 77 };
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED	(MAP_SHARED | MAP_ANONYMOUS)

static int tap_failures;		/* of the running case */
static const char *tap_program;

/* ---- statements of a case ----------------------------------------------------------------------------------------------------- */

#define FAIL(...) do { printf("# %s:%d: ", __FILE__, __LINE__); printf(__VA_ARGS__); putchar('\n'); tap_failures++; } while (0)
#define CHECK(condition) do { if (!(condition)) FAIL("not so: %s (errno %d)", #condition, errno); } while (0)
/* Compares integers. */
#define EQ(a, b) do { long long a_ = (long long)(a), b_ = (long long)(b); \
	if (a_ != b_) FAIL("%s is %lld (%#llx), not %s = %lld (errno %d)", #a, a_, a_, #b, b_, errno); } while (0)
/* A call that must fail with this errno. */
#define FAILS(call, error) do { errno = 0; long long r_ = (long long)(call); int e_ = errno; \
	if (r_ != -1 || e_ != (error)) FAIL("%s gave %lld, errno %d (%s), not %s", #call, r_, e_, strerror(e_), #error); } while (0)
/* A case cannot go on without this. */
#define NEED(condition) do { if (!(condition)) { FAIL("cannot go on without: %s (errno %d %s)", #condition, errno, strerror(errno)); \
	fflush(stdout); _exit(1); } } while (0)
#define SKIP(why) do { printf("# skipped: %s\n", why); fflush(stdout); _exit(SKIPPED); } while (0)

struct tap_case {
	const char *name;
	void (*run)(void);
	int flags;
	struct tap_case *next;
};
static struct tap_case *tap_first, **tap_last = &tap_first;

enum { TAP_FAULTLINE = 1, TAP_KEEPS = 2, TAP_RECLAIMS = 4 };
/* What runs on Faultline alone; what keeps something on purpose, so that only vmcheck's errors count; what has pages of files reclaimed, so that the heap, which has
 * their records, is now larger and now smaller. */
#define TEST_FLAGS(name, bits) \
	static void test_##name(void); \
	__attribute__((constructor)) static void tap_register_##name(void) \
	{ static struct tap_case c = { #name, test_##name, bits, NULL }; *tap_last = &c; tap_last = &c.next; } \
	static void test_##name(void)
#define TEST(name) TEST_FLAGS(name, 0)
#define FAULTLINE_TEST(name) TEST_FLAGS(name, TAP_FAULTLINE)

/* ---- help for cases -------------------------------------------------------------------------------------------------------------- */

static inline int tap_vmcheck(struct vmcheck *c)
{
	memset(c, 0, sizeof *c);
	return (int)syscall(SYS_vmcheck, c, sizeof *c);
}

static inline int on_faultline(void)
{
	struct faultstat s;
	return syscall(SYS_faultstat, FAULTSTAT_SELF, 0, &s, sizeof s) >= 0;
}

static inline void faults_now(struct faultstat *s)
{
	NEED(syscall(SYS_faultstat, FAULTSTAT_SELF, 0, s, sizeof *s) >= 0);
}

/* Faults of a class since `before`. */
static inline long faults_since(const struct faultstat *before, enum fault_class class)
{
	struct faultstat now;
	faults_now(&now);
	return (long)(now.count[class] - before->count[class]);
}

static inline void *map_anon(size_t size, int how)
{
	void *p = mmap(NULL, size, RW, MAP_ANONYMOUS | how, -1, 0);
	NEED(p != MAP_FAILED);
	return p;
}

static inline int wait_status(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Runs the statements that follow in a child; its wait status in `status`. */
#define CHILD(status) for (pid_t child_ = (fflush(stdout), fork()), once_ = 1; once_ && tap_child(child_, &(status)); \
	once_ = 0, child_ ? 0 : (fflush(stdout), _exit(tap_failures ? 1 : 0), 0))
static inline int tap_child(pid_t pid, int *status)
{
	NEED(pid >= 0);
	if (!pid) {
		tap_failures = 0;
		return 1;
	}
	*status = wait_status(pid);
	return 0;
}

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static inline long long now_ns(clockid_t clock)
{
	struct timespec t;
	NEED(!clock_gettime(clock, &t));
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
	sigemptyset(&a.sa_mask);
	NEED(!sigaction(signo, &a, NULL));
}

/* Makes an access and reports the signal that it caused in `tap_caught` (si_signo 0: none). */
static sigjmp_buf tap_landing;
static siginfo_t tap_caught;
static inline void tap_land(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)context;
	tap_caught = *info;
	siglongjmp(tap_landing, 1);
}
#define TRY(statement) do { \
	handle(SIGSEGV, tap_land, SA_ONSTACK); handle(SIGBUS, tap_land, SA_ONSTACK); handle(SIGILL, tap_land, 0); \
	memset(&tap_caught, 0, sizeof tap_caught); \
	if (!sigsetjmp(tap_landing, 1)) { statement; } \
	signal(SIGSEGV, SIG_DFL); signal(SIGBUS, SIG_DFL); signal(SIGILL, SIG_DFL); } while (0)
#define REFUSED(statement, signo, code, addr) do { TRY(statement); EQ(tap_caught.si_signo, signo); EQ(tap_caught.si_code, code); \
	EQ((uintptr_t)tap_caught.si_addr, (uintptr_t)(addr)); } while (0)

/* ---- running --------------------------------------------------------------------------------------------------------------------- */

static pid_t tap_running;
static volatile sig_atomic_t tap_too_slow;
static inline void tap_time_is_up(int signo)
{
	(void)signo;
	tap_too_slow = 1;
	kill(-tap_running, SIGKILL);
}

static inline int tap_run_child(const struct tap_case *c)
{
	fflush(stdout);
	tap_too_slow = 0;
	pid_t pid = tap_running = fork();
	if (!pid) {
		setpgid(0, 0);
		signal(SIGALRM, SIG_DFL);
		tap_failures = 0;
		c->run();
		fflush(stdout);
		_exit(tap_failures ? 1 : 0);
	}
	NEED(pid > 0);
	setpgid(pid, pid);
	signal(SIGALRM, tap_time_is_up);
	alarm(CASE_SECONDS);
	int status = wait_status(pid);
	alarm(0);
	kill(-pid, SIGKILL);			/* what it left running */
	return status;
}

#define TAP_COUNTS(X) X(anon_frames) X(table_frames) X(spaces) X(tasks) X(open_files) X(regions) X(records_shared) X(records_pinned) X(records_cut)

static inline int tap_same(const struct vmcheck *a, const struct vmcheck *b, int say)
{
	int same = 1;
#define TAP_COMPARE(field) if (a->field != b->field) { \
	same = 0; if (say) printf("# leaked: " #field " was %lu, is %lu\n", (unsigned long)a->field, (unsigned long)b->field); }
	TAP_COUNTS(TAP_COMPARE)
	return same;
}

/* Processes that are dying still hold something: give them a second. */
static inline int tap_settled(const struct vmcheck *before, struct vmcheck *after)
{
	for (int i = 0; i < 50; i++) {
		NEED(tap_vmcheck(after) >= 0);
		if (tap_same(before, after, 0))
			return 1;
		sleep_ms(20);
	}
	return 0;
}

/* More pages of files that are cached have a record each: a program that lies elsewhere each time may still meet new ones. */
static inline int tap_heap_grew(const struct tap_case *c, const struct vmcheck *before, const struct vmcheck *after)
{
	enum { RECORD_BYTES = 64 };
	uint64_t records = after->records_file > before->records_file ? after->records_file - before->records_file : 0;
	return !(c->flags & TAP_RECLAIMS) && after->heap_bytes > before->heap_bytes + records * RECORD_BYTES;
}

/*
 * The kernel's heap may grow once, for names and pages that stay cached, and so may the tables of its own address ranges.  Running
 * the case again must then find all that it needs.
 */
static inline int tap_leaks(const struct tap_case *c, struct vmcheck *before, struct vmcheck *after)
{
	int settled = tap_settled(before, after);

	for (int again = 0; again < 3 && (!settled || tap_heap_grew(c, before, after)); again++) {
		*before = *after;
		tap_run_child(c);
		settled = tap_settled(before, after);
	}
	if (!settled)
		tap_same(before, after, 1);
	if (tap_heap_grew(c, before, after))
		printf("# leaked: heap_bytes was %lu, is %lu\n", (unsigned long)before->heap_bytes, (unsigned long)after->heap_bytes);
	return !settled || tap_heap_grew(c, before, after);
}

/* The word and the directive of the result line. */
static inline int tap_run_case(const struct tap_case *c, const char **directive)
{
	struct vmcheck before, after;
	int checked = tap_vmcheck(&before) >= 0;

	*directive = "";
	if ((c->flags & TAP_FAULTLINE) && !checked) {
		*directive = " # SKIP needs Faultline";
		return 1;
	}
	int status = tap_run_child(c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		*directive = " # SKIP";
	else if (status) {
		printf("# ended with status %#x%s\n", (unsigned)status, tap_too_slow ? ": too slow" : "");
		return 0;
	}
	if (!checked)
		return 1;
	int good = c->flags & TAP_KEEPS ? tap_vmcheck(&after) >= 0 : !tap_leaks(c, &before, &after);
	if (after.errors)
		printf("# vmcheck found %lu errors\n", (unsigned long)after.errors);
	return good && !after.errors;
}

static inline int tap_wanted(const struct tap_case *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], c->name))
			return 1;
	return argc <= 1;
}

static inline int tap_main(int argc, char **argv)
{
	int n = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 4096);
	tap_program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	for (struct tap_case *c = tap_first; c; c = c->next)
		n += tap_wanted(c, argc, argv);
	printf("1..%d\n", n);
	n = 0;
	for (struct tap_case *c = tap_first; c; c = c->next) {
		const char *directive;
		if (!tap_wanted(c, argc, argv))
			continue;
		int good = tap_run_case(c, &directive);
		printf("%s %d - %s: %s%s\n", good ? "ok" : "not ok", ++n, tap_program, c->name, directive);
		failed += !good;
	}
	return failed != 0;
}

#ifndef TAP_OWN_MAIN
int main(int argc, char **argv)
{
	return tap_main(argc, argv);
}
#endif
