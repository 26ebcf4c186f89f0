/*
 * smpbench - how page faults scale with processors, against a loop that needs no kernel.
 *
 * Three kinds of work are done by one worker, then by several at the same time, each pinned to a processor of its own:
 *
 *	loop		a loop in registers, in processes
 *	processes	the first touch of fresh anonymous memory, in processes: each has its own space
 *	threads		the same in threads of one process, each in its own range of one space
 *
 * The memory is mapped beforehand and discarded outside the measured time.  Workers start at a barrier at which they spin, and the
 * measurement ends for all when the first has done its share: what they have done by then, all together, is the throughput; nobody works alone.
 * The kinds take turns within each round, so that whatever else the machine does meets all of them; results are medians over the rounds.
 * What counts is the ratio: scaling of the faults / scaling of the loop.
 *
 * If there is a /proc/lock_stat (lines NAME<TAB>CONTENDED), it is read between the barrier and the first fault and after the last one: locks
 * for which somebody had to wait meanwhile are printed by name.
 *
 *	smpbench [--processors N] [--rounds N] [--size MIB]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PROCESSORS_MAX = 16, ROUNDS_MAX = 99, LOOP = 20000, LOCKS_MAX = 64, LOCK_NAME = 32, STAT_SIZE = 8192, TABLE = 2 << 20 };

static long processors = 2, rounds = 9, mib = 24;

enum work { USER_LOOP, PROCESSES, THREADS, WORKS };
static const char *const names[WORKS] = { "loop", "processes", "threads" };
static const double wanted[WORKS] = { [PROCESSES] = 0.9, [THREADS] = 0.8 };

/* Shared by all processes.  The coordinator writes the order, then wakes the workers by their pipes, and sleeps until each has answered. */
static struct shared {
	enum work work;
	long share;			/* pages, or turns of the loop, for each worker */
	long nworkers;
	_Atomic long arrived;		/* at barriers, since the order */
	atomic_int stop;		/* somebody has done its share */
	_Atomic long done;		/* by all, when they stopped */
	int64_t began, ended;		/* nanoseconds; by the first worker, and by the one that sets stop */
	char before[STAT_SIZE], after[STAT_SIZE];
} *shared;

static struct worker {
	int processor, order[2], answer[2];
} workers[2][PROCESSORS_MAX];		/* processes; threads of one */

static void die(const char *what)
{
	fprintf(stderr, "smpbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* ---- workers ------------------------------------------------------------------------------------------------------------------------ */

/* All meet here for the nth time.  They spin: waking up would be a part of the measurement. */
static void barrier(long nth)
{
	shared->arrived++;
	while (shared->arrived < nth * shared->nworkers)
		__asm__ volatile("pause");
}

static void turn_loop(void)
{
	uint64_t x = 1;

	for (int i = 0; i < LOOP; i++)
		__asm__ volatile("imul $0x5deece6d, %0, %0\n\tadd $11, %0" : "+r"(x));
}

/*
 * Touches one page after the other, until *stop; returns how many.  The code depends on no place: each worker has a copy of its own (own_touch), for an
 * emulator that translates code finds the instruction that faulted under a lock which the code's translation has, and that is not what is measured.
 */
typedef long touch_pages(char *memory, long n, atomic_int *stop);
touch_pages touch;
extern const char touch_end[];
__asm__(".pushsection .text\n"
	"touch:	xorl	%eax, %eax\n"
	"1:	cmpq	%rsi, %rax\n"
	"	jge	2f\n"
	"	cmpl	$0, (%rdx)\n"
	"	jne	2f\n"
	"	movb	$1, (%rdi)\n"
	"	addq	$4096, %rdi\n"
	"	incq	%rax\n"
	"	jmp	1b\n"
	"2:	ret\n"
	"touch_end:\n"
	".popsection");

static touch_pages *own_touch(void)
{
	void *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		die("mmap");
	memcpy(code, (const void *)touch, (size_t)(touch_end - (const char *)touch));
	if (mprotect(code, PAGE, PROT_READ | PROT_EXEC))
		die("mprotect");
	return (touch_pages *)code;
}

static long turn_loops(long share)
{
	long n = 0;

	while (n < share && !shared->stop) {
		turn_loop();
		n++;
	}
	return n;
}

static void read_locks(char *to)
{
	int fd = open("/proc/lock_stat", O_RDONLY);
	ssize_t n, length = 0;

	while (fd >= 0 && (n = read(fd, to + length, (size_t)(STAT_SIZE - 1 - length))) > 0)
		length += n;
	to[length] = 0;
	close(fd);
}

static void take_part(touch_pages *own, char *memory, int first)
{
	barrier(1);
	if (first) {
		read_locks(shared->before);
		shared->began = now();
	}
	barrier(2);
	long n = shared->work == USER_LOOP ? turn_loops(shared->share) : own(memory, shared->share, &shared->stop);
	if (!atomic_exchange(&shared->stop, 1))
		shared->ended = now();
	shared->done += n;
	barrier(3);
	if (first)
		read_locks(shared->after);
	barrier(4);
	if (shared->work != USER_LOOP && madvise(memory, (size_t)mib << 20, MADV_DONTNEED))
		die("madvise");
}

static void *serve(void *argument)
{
	const struct worker *w = argument;
	cpu_set_t set;
	char order;
	touch_pages *own = own_touch();
	char *memory = mmap(NULL, ((size_t)mib << 20) + TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	memory += -(uintptr_t)memory % TABLE;			/* no two workers in one page table */
	madvise(memory, (size_t)mib << 20, MADV_NOHUGEPAGE);
	CPU_ZERO(&set);
	CPU_SET((unsigned)w->processor, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");
	while (read(w->order[0], &order, 1) == 1) {
		take_part(own, memory, order);
		if (write(w->answer[1], &order, 1) != 1)
			die("write");
	}
	return NULL;
}

/* A process keeps the ends that are its own, so that whoever waits for one that has ended sees an end of file. */
static void close_ends(const struct worker *first, long n)
{
	for (struct worker *w = workers[0]; w < workers[2]; w++)
		if (w->order[1]) {
			close(w->order[1]);
			close(w->answer[0]);
			if (w < first || w >= first + n)
				close(w->answer[1]);
		}
}

static void begin_process(struct worker *first, long n)
{
	pthread_t thread[PROCESSORS_MAX];
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	close_ends(first, n);
	for (long i = 1; i < n; i++)
		if ((errno = pthread_create(&thread[i], NULL, serve, &first[i])))
			die("pthread_create");
	serve(first);
	_exit(0);
}

/* ---- rounds ------------------------------------------------------------------------------------------------------------------------- */

static struct lock {
	char name[LOCK_NAME];
	long contended[WORKS];
} locks[LOCKS_MAX];
static int nlocks;			/* -1: the kernel does not count */

static struct lock *lock_of(const char *name)
{
	int i;

	for (i = 0; i < nlocks && strcmp(locks[i].name, name); i++)
		;
	if (i == LOCKS_MAX)
		return NULL;
	if (i == nlocks)
		strcpy(locks[nlocks++].name, name);
	return &locks[i];
}

static void add_locks(char *text, enum work work, int sign)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *tab = strchr(line, '\t');
		if (!tab || tab - line >= LOCK_NAME)
			continue;
		*tab = 0;
		struct lock *lock = lock_of(line);
		if (lock)
			lock->contended[work] += sign * atol(tab + 1);
	}
}

/* Shares done in a second by n workers, the first of them number `from`. */
static double measure(enum work work, long n, long from, long share)
{
	struct worker *team = workers[work == THREADS];
	char order;

	shared->work = work;
	shared->share = share;
	shared->nworkers = n;
	shared->arrived = shared->stop = 0;
	shared->done = 0;
	for (long i = 0; i < n; i++) {
		order = i == 0;
		if (write(team[(from + i) % processors].order[1], &order, 1) != 1)
			die("write");
	}
	for (long i = 0; i < n; i++)
		if (read(team[(from + i) % processors].answer[0], &order, 1) != 1)
			die("a worker has ended");
	return (double)shared->done / (double)(shared->ended - shared->began) * 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double sort_median(double *values)
{
	qsort(values, (size_t)rounds, sizeof *values, by_value);
	return (values[rounds / 2] + values[(rounds - 1) / 2]) / 2;
}

static double one[WORKS][ROUNDS_MAX], many[WORKS][ROUNDS_MAX];

/* The loop takes about as long as the faults. */
static long loop_share(long pages)
{
	double seconds = (double)pages / measure(PROCESSES, 1, 0, pages);

	return 1 + (long)(measure(USER_LOOP, 1, 0, 500) * seconds);
}

static void run_rounds(void)
{
	long pages = (mib << 20) / PAGE, turns;

	for (long i = 0; i < processors; i++) {			/* tables are made, frames are found */
		measure(PROCESSES, 1, i, pages);
		measure(THREADS, 1, i, pages);
	}
	turns = loop_share(pages);
	for (long r = 0; r < rounds; r++)
		for (enum work work = USER_LOOP; work < WORKS; work++) {
			long share = work == USER_LOOP ? turns : pages;
			one[work][r] = measure(work, 1, r % processors, share);
			many[work][r] = measure(work, processors, 0, share);
			add_locks(shared->before, work, -1);
			add_locks(shared->after, work, 1);
		}
}

/* ---- results ------------------------------------------------------------------------------------------------------------------------ */

static void print_results(void)
{
	double scaling[WORKS], ratio[WORKS], a[WORKS], b[WORKS], low[WORKS], high[WORKS];

	for (enum work work = USER_LOOP; work < WORKS; work++) {
		double by_round[ROUNDS_MAX];
		for (long r = 0; r < rounds; r++)
			by_round[r] = many[work][r] / one[work][r];
		sort_median(by_round);
		low[work] = by_round[0];
		high[work] = by_round[rounds - 1];
	}
	for (enum work work = USER_LOOP; work < WORKS; work++) {
		a[work] = sort_median(one[work]);
		b[work] = sort_median(many[work]);
		scaling[work] = b[work] / a[work];
		ratio[work] = scaling[work] / scaling[USER_LOOP];
	}
	printf("%-10s %14s %14s %8s %15s %10s\n", "", "1 processor", "all", "scaling", "by round", "of loop's");
	for (enum work work = USER_LOOP; work < WORKS; work++)
		printf("%-10s %12.0f/s %12.0f/s %8.3f %7.3f-%7.3f %10.3f\n", names[work], a[work], b[work], scaling[work], low[work], high[work], ratio[work]);
	printf("processors\t%ld\nrounds\t%ld\n", processors, rounds);
	for (enum work work = USER_LOOP; work < WORKS; work++)
		printf("scaling %s\t%.3f\n", names[work], scaling[work]);
	for (enum work work = PROCESSES; work < WORKS; work++)
		printf("ratio %s\t%.3f\t%s %.1f\n", names[work], ratio[work], ratio[work] >= wanted[work] ? "reaches" : "misses", wanted[work]);
}

static void print_locks(void)
{
	if (nlocks < 0)
		puts("contended\tnot counted: there is no /proc/lock_stat");
	for (enum work work = PROCESSES; nlocks >= 0 && work < WORKS; work++) {
		long sum = 0;
		for (int i = 0; i < nlocks; i++) {
			sum += locks[i].contended[work];
			if (locks[i].contended[work])
				printf("contended %s %s\t%ld\n", names[work], locks[i].name, locks[i].contended[work]);
		}
		printf("contended %s\t%ld\n", names[work], sum);
	}
}

static const char usage[] =
	"usage: smpbench [--processors N] [--rounds N] [--size MIB]\n"
	"How page faults of several processes, and of several threads of one, scale with processors, against a loop in user mode.\n"
	"  --processors N  one worker on each (2)\n"
	"  --rounds N      results are medians over so many (9)\n"
	"  --size MIB      fresh memory that each worker touches in a round (24)\n";

static long number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "smpbench: '%s' is not a number from %ld to %ld\n", text, least, most);
		exit(2);
	}
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = { { "processors", 1, 0, 'p' }, { "rounds", 1, 0, 'r' }, { "size", 1, 0, 's' }, { "help", 0, 0, 'h' }, { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "p:r:s:h", options, NULL)) != -1)
		switch (o) {
		case 'p': processors = number(optarg, 1, PROCESSORS_MAX); break;
		case 'r': rounds = number(optarg, 1, ROUNDS_MAX); break;
		case 's': mib = number(optarg, 1, 4096); break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	if (optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < processors) {
		fprintf(stderr, "smpbench: there are %ld processors, %ld are needed\n", sysconf(_SC_NPROCESSORS_ONLN), processors);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	nlocks = access("/proc/lock_stat", R_OK) ? -1 : 0;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (int team = 0; team < 2; team++)
		for (long i = 0; i < processors; i++) {
			workers[team][i].processor = (int)i;
			if (pipe2(workers[team][i].order, O_CLOEXEC) || pipe2(workers[team][i].answer, O_CLOEXEC))
				die("pipe");
		}
	for (long i = 0; i < processors; i++)
		begin_process(&workers[0][i], 1);
	begin_process(workers[1], processors);
	for (int team = 0; team < 2; team++)
		for (long i = 0; i < processors; i++)
			close(workers[team][i].answer[1]);
	run_rounds();
	print_results();
	print_locks();
	return 0;
}
