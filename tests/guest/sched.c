/*
 * tests/guest/sched.c - who runs where and for how long: affinity, many loops on many processors, wakes from one to another, exact timers, processor time, idle processors.
 *
 * The emulator's host may have fewer processors than the guest, and others to run, so time limits are wide; but time that the guest's clock shows and a processor
 * of the guest spends in a program is that program's, whatever the host did.
 */
#include "tap.h"
#include <limits.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

enum { MS = 1000000, CPUS = 64 };

static int cpus[CPUS], ncpus;		/* those that this process may run on */

static void find_cpus(void)
{
	cpu_set_t set;

	NEED(!sched_getaffinity(0, sizeof set, &set));
	for (int i = 0; i < CPU_SETSIZE && ncpus < CPUS; i++)
		if (CPU_ISSET(i, &set))
			cpus[ncpus++] = i;
	NEED(ncpus > 0);
}

static void need_two(void)
{
	find_cpus();
	if (ncpus < 2)
		SKIP("needs two processors");
}

static int pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(pid, sizeof set, &set);
}

static int unpin(pid_t pid)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < ncpus; i++)
		CPU_SET(cpus[i], &set);
	return sched_setaffinity(pid, sizeof set, &set);
}

static int this_cpu(void)
{
	unsigned cpu = ~0u;

	NEED(!syscall(SYS_getcpu, &cpu, NULL, NULL));
	return (int)cpu;
}

static long long wall(void) { return now_ns(CLOCK_MONOTONIC); }
static long long used(void) { return now_ns(CLOCK_PROCESS_CPUTIME_ID); }

static void spin_until(long long until)
{
	while (wall() < until)
		;
}

static void spin_for(long long ns)
{
	for (ns += used(); used() < ns; )
		;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	EQ(wait_status(pid), SIGKILL);
}

/* What a loop in a process of its own says of itself. */
struct loop { volatile long rounds; volatile int cpu; volatile long long used_ns; pid_t pid; };

/* A process that loops; on this processor, or where it likes (-1). */
static void begin_loop(struct loop *l, int cpu)
{
	fflush(stdout);
	l->cpu = -1;
	pid_t pid = fork();
	NEED(pid >= 0);
	if (pid) {
		l->pid = pid;
		return;
	}
	if (cpu >= 0)
		NEED(!pin(0, cpu));
	for (;; l->rounds++) {
		l->cpu = this_cpu();
		if (l->rounds % 64 == 0)
			l->used_ns = used();
	}
}

static struct loop *loops(void) { return map_anon(CPUS * 2 * sizeof(struct loop), MAP_SHARED); }

/* Does it come to run there, and stay? */
static int comes_to(struct loop *l, int cpu)
{
	for (int i = 0; i < 2000 && l->cpu != cpu; i++)
		sleep_ms(1);
	for (int i = 0; i < 10; i++, sleep_ms(1))
		if (l->cpu != cpu)
			return 0;
	return 1;
}

/* ---- affinity --------------------------------------------------------------------------------------------------------------------------- */

TEST(affinity_moves_the_caller)
{
	find_cpus();
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < ncpus; i++) {
			EQ(pin(0, cpus[i]), 0);
			EQ(this_cpu(), cpus[i]);
			sched_yield();
			EQ(this_cpu(), cpus[i]);
			if (round == 0)
				sleep_ms(1);
			EQ(this_cpu(), cpus[i]);
		}
}

/* Field 39 of /proc/PID/stat. */
static int shown_cpu(pid_t pid)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	NEED(f && fgets(text, sizeof text, f));
	fclose(f);
	char *at = strrchr(text, ')');
	for (int field = 2; field < 39; field++) {
		at = strchr(at + 1, ' ');
		NEED(at);
	}
	return atoi(at);
}

TEST(affinity_moves_one_that_runs)
{
	struct loop *l = loops();

	need_two();
	begin_loop(l, cpus[0]);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < ncpus; i++) {
			EQ(pin(l->pid, cpus[i]), 0);
			CHECK(comes_to(l, cpus[i]));
			EQ(shown_cpu(l->pid), cpus[i]);
		}
	end(l->pid);
}

TEST(affinity_moves_those_that_wait_their_turn)
{
	struct loop *l = loops();

	need_two();
	for (int i = 0; i < ncpus; i++)
		begin_loop(&l[i], cpus[0]);
	for (int i = 0; i < ncpus; i++)
		CHECK(comes_to(&l[i], cpus[0]));
	for (int i = 0; i < ncpus; i++)
		EQ(pin(l[i].pid, cpus[i]), 0);
	for (int i = 0; i < ncpus; i++)
		CHECK(comes_to(&l[i], cpus[i]));
	for (int i = 0; i < ncpus; i++)
		end(l[i].pid);
}

TEST(affinity_moves_one_that_sleeps)
{
	int there[2], back[2], cpu;
	char c = 0;

	need_two();
	NEED(!pipe(there) && !pipe(back));
	pid_t pid = fork();
	if (!pid)
		for (;;) {
			NEED(read(there[0], &c, 1) == 1);
			cpu = this_cpu();
			NEED(write(back[1], &cpu, sizeof cpu) == sizeof cpu);
		}
	for (int i = 0; i < 4 * ncpus; i++) {
		EQ(pin(pid, cpus[i % ncpus]), 0);
		EQ(write(there[1], &c, 1), 1);
		EQ(read(back[0], &cpu, sizeof cpu), sizeof cpu);
		EQ(cpu, cpus[i % ncpus]);
	}
	end(pid);
}

/* Affinity changes all the time, of a process that runs, waits and sleeps. */
TEST(affinity_under_fire)
{
	struct loop *l = loops();
	long long until = wall() + 500 * MS;

	need_two();
	for (int i = 0; i < 3; i++)
		begin_loop(&l[i], -1);
	pid_t pid = fork();
	if (!pid)
		for (;; l[3].rounds++)
			usleep(100);
	l[3].pid = pid;
	for (unsigned n = 0; wall() < until; n++)
		EQ(pin(l[n % 4].pid, cpus[n / 4 % (unsigned)ncpus]), 0);
	for (int i = 0; i < 4; i++) {
		long before = l[i].rounds;
		EQ(unpin(l[i].pid), 0);
		for (int n = 0; n < 2000 && l[i].rounds == before; n++)
			sleep_ms(1);
		CHECK(l[i].rounds != before);
		end(l[i].pid);
	}
}

/* ---- many at once ------------------------------------------------------------------------------------------------------------------------- */

/* n loops for so long: the least and the most that one of them has used. */
static void run_loops(struct loop *l, int n, long ms, long long *least, long long *most)
{
	long long before[2 * CPUS];

	for (int i = 0; i < n; i++)
		while (l[i].rounds < 64)
			sleep_ms(1);
	for (int i = 0; i < n; i++)
		before[i] = l[i].used_ns;
	sleep_ms(ms);
	*least = INT64_MAX, *most = 0;
	for (int i = 0; i < n; i++) {
		long long ns = l[i].used_ns - before[i];
		*least = ns < *least ? ns : *least;
		*most = ns > *most ? ns : *most;
	}
	for (int i = 0; i < n; i++)
		end(l[i].pid);
}

TEST(a_loop_for_each_processor)
{
	struct loop *l = loops();
	long long least, most, began = wall();

	find_cpus();
	for (int i = 0; i < ncpus; i++)
		begin_loop(&l[i], -1);
	run_loops(l, ncpus, 500, &least, &most);
	CHECK(least > 250 * MS);
	CHECK(most < wall() - began);
}

TEST(more_loops_than_processors_take_turns)
{
	struct loop *l = loops();
	long long least, most;

	find_cpus();
	int n = ncpus + 1;
	for (int i = 0; i < n; i++)
		begin_loop(&l[i], -1);
	run_loops(l, n, 2000, &least, &most);
	CHECK(least > 2000ll * MS * ncpus / n / 2);		/* half of what is right */
}

/* They began on one processor, and may go where they like. */
TEST(loops_spread_when_they_may)
{
	struct loop *l = loops();
	long long least, most;

	find_cpus();
	for (int i = 0; i < ncpus; i++)
		begin_loop(&l[i], cpus[0]);
	for (int i = 0; i < ncpus; i++)
		CHECK(comes_to(&l[i], cpus[0]));
	for (int i = 0; i < ncpus; i++)
		EQ(unpin(l[i].pid), 0);
	run_loops(l, ncpus, 500, &least, &most);
	CHECK(least > 200 * MS);
}

TEST(yielding_takes_turns)
{
	struct loop *l = loops();

	find_cpus();
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (!pid) {
			NEED(!pin(0, cpus[0]));
			for (;; l[i].rounds++)
				sched_yield();
		}
		l[i].pid = pid;
	}
	while (!l[0].rounds || !l[1].rounds)
		sleep_ms(1);
	long a = l[0].rounds, b = l[1].rounds;
	sleep_ms(300);
	a = l[0].rounds - a, b = l[1].rounds - b;
	CHECK(a > 100 && b > 100 && a < 4 * b && b < 4 * a);
	end(l[0].pid);
	end(l[1].pid);
}

/* ---- wakes -------------------------------------------------------------------------------------------------------------------------------- */

static void ping_pong(int a, int b, int rounds)
{
	int there[2], back[2], n;

	NEED(!pipe(there) && !pipe(back));
	pid_t pid = fork();
	if (!pid) {
		NEED(!pin(0, b));
		for (int i = 0; i < rounds; i++) {
			NEED(read(there[0], &n, sizeof n) == sizeof n && n == i);
			NEED(write(back[1], &n, sizeof n) == sizeof n);
		}
		_exit(this_cpu() != b);
	}
	NEED(!pin(0, a));
	for (int i = 0; i < rounds; i++) {
		NEED(write(there[1], &i, sizeof i) == sizeof i);
		NEED(read(back[0], &n, sizeof n) == sizeof n && n == i);
	}
	EQ(this_cpu(), a);
	EQ(wait_status(pid), 0);
	for (int i = 0; i < 2; i++)
		close(there[i]), close(back[i]);
}

TEST(pings_between_processors)
{
	find_cpus();
	for (int a = 0; a < ncpus && a < 4; a++)
		for (int b = 0; b < ncpus && b < 4; b++)
			ping_pong(cpus[a], cpus[b], 300);
}

/* Each passes on what it gets from the one before: most of them sleep, whoever runs wakes another and sleeps. */
TEST(a_ring_of_wakes)
{
	enum { N = 12, TOKENS = 5, ROUNDS = 300 };
	int ring[N][2], n;
	pid_t pid[N];

	for (int i = 0; i < N; i++)
		NEED(!pipe(ring[i]));
	for (int i = 0; i < N; i++) {
		pid[i] = fork();
		NEED(pid[i] >= 0);
		if (pid[i])
			continue;
		for (int k = 0; k < ROUNDS * TOKENS; k++) {
			NEED(read(ring[i][0], &n, sizeof n) == sizeof n);
			n++;
			NEED(write(ring[(i + 1) % N][1], &n, sizeof n) == sizeof n);
		}
		_exit(0);
	}
	n = 0;
	for (int i = 0; i < TOKENS; i++)
		NEED(write(ring[0][1], &n, sizeof n) == sizeof n);
	for (int i = 0; i < N; i++)
		EQ(wait_status(pid[i]), 0);
	for (int i = 0; i < TOKENS; i++) {
		EQ(read(ring[0][0], &n, sizeof n), sizeof n);
		EQ(n, N * ROUNDS);
	}
}

/*
 * A program that only computes, elsewhere, notices a signal without waiting for its tick.  What it counts itself from when it sees that the signal has been sent says how long that took,
 * however long the host let one of the two wait.
 */
static struct { volatile int sent, handled; volatile long rounds, took, of_a_ms; } *kick;
static void note_kick(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	kick->took = kick->rounds;
	kick->handled = 1;
}

static void count_rounds(long n)
{
	while (kick->rounds < n)
		if (kick->sent && !kick->handled)
			kick->rounds++;
}

static void await_kicks(void)
{
	handle(SIGUSR1, note_kick, 0);
	kick->sent = 1;
	for (int i = 0; i < 10; i++) {
		long long began = wall();
		kick->rounds = 0;
		count_rounds(20000);
		long of_a_ms = (long)(20000ll * MS / (wall() - began));
		kick->of_a_ms = of_a_ms > kick->of_a_ms ? of_a_ms : kick->of_a_ms;
	}
	kick->handled = 1;
	count_rounds(LONG_MAX);
}

TEST(a_signal_interrupts_another_processor)
{
	enum { N = 30 };
	int quick = 0;

	need_two();
	kick = map_anon(PAGE, MAP_SHARED);
	NEED(!pin(0, cpus[0]));
	pid_t pid = fork();
	if (!pid) {
		NEED(!pin(0, cpus[1]));
		await_kicks();
	}
	while (!kick->handled)
		sleep_ms(1);
	for (int i = 0; i < N; i++) {
		sleep_ms(1);
		kick->sent = kick->handled = 0;
		kick->rounds = 0;
		kill(pid, SIGUSR1);
		kick->sent = 1;
		while (!kick->handled)
			;
		quick += kick->took < kick->of_a_ms;
	}
	CHECK(quick >= N - 1);
	end(pid);
}

static volatile int *arrived;
static void note_arrival(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	*arrived = 1;
}

/* A process is in the tables before it runs for the first time, here for as long as it takes to write its number to a new page: by then signals come to it. */
TEST(signals_to_those_just_forked)
{
	enum { N = 500 };

	need_two();
	arrived = map_anon(PAGE, MAP_SHARED);
	handle(SIGUSR1, note_arrival, SA_RESTART);
	NEED(!setpgid(0, 0));
	pid_t pid = fork();
	if (!pid)
		for (;;)
			kill(0, SIGUSR1);
	char *numbers = map_anon(N * PAGE, MAP_PRIVATE);
	for (int n = 0; n < N; n++) {
		pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, numbers + n * PAGE, 0, 0);
		if (!child)
			_exit(0);
		EQ(*(pid_t *)(numbers + n * PAGE), child);
		EQ(wait_status(child), 0);
	}
	end(pid);
	CHECK(*arrived);
}

/* ---- time --------------------------------------------------------------------------------------------------------------------------------- */

/* By a tick of 10 ms each would take that long. */
TEST(sleeps_end_when_they_should)
{
	find_cpus();
	for (int c = 0; c < ncpus; c++) {
		int quick = 0;
		NEED(!pin(0, cpus[c]));
		for (int i = 0; i < 20; i++) {
			long long began = wall();
			usleep(1000);
			long long took = wall() - began;
			CHECK(took >= 1 * MS);
			quick += took < 5 * MS;
		}
		CHECK(quick >= 2);
	}
}

static volatile sig_atomic_t alarms;
static void count_alarm(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info, (void)context;
	alarms++;
}

TEST(interval_timers_fire_when_they_should)
{
	sigset_t blocked, none;

	find_cpus();
	handle(SIGALRM, count_alarm, 0);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	NEED(!sigprocmask(SIG_BLOCK, &blocked, NULL));
	for (int c = 0; c < ncpus; c++) {
		int quick = 0;
		NEED(!pin(0, cpus[c]));
		for (int i = 0; i < 20; i++) {
			struct itimerval v = { { 0, 0 }, { 0, 2000 } };
			long long began = wall();
			alarms = 0;
			NEED(!setitimer(ITIMER_REAL, &v, NULL));
			while (!alarms)
				sigsuspend(&none);			/* nothing runs meanwhile */
			long long took = wall() - began;
			CHECK(took >= 2 * MS);
			quick += took < 6 * MS;
		}
		CHECK(quick >= 2);
	}
	/* To a program that computes, again and again. */
	struct itimerval v = { { 0, 5000 }, { 0, 5000 } };
	alarms = 0;
	NEED(!sigprocmask(SIG_UNBLOCK, &blocked, NULL));
	long long until = wall() + 1000 * MS;
	NEED(!setitimer(ITIMER_REAL, &v, NULL));
	while (alarms < 10 && wall() < until)
		;
	CHECK(alarms >= 10);
}

/* Shorter than a tick, and ended by sleep: seen all the same. */
TEST(short_bursts_count)
{
	long long burst = 0, began_used = used();

	for (int i = 0; i < 50; i++) {
		long long began = wall();
		spin_until(began + 2 * MS);
		burst += wall() - began;
		usleep(3000);
	}
	long long ns = used() - began_used;
	if (ns < burst / 2 || ns > burst * 2)
		FAIL("%lld ns were used in bursts of %lld", ns, burst);
}

static long long usage_ns(int whose)
{
	struct rusage u;

	NEED(!getrusage(whose, &u));
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ll + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ll;
}

TEST(processor_time_adds_up)
{
	long long *said = map_anon(PAGE, MAP_SHARED), before = usage_ns(RUSAGE_CHILDREN);
	int status;

	spin_for(20 * MS);
	long long thread = now_ns(CLOCK_THREAD_CPUTIME_ID), process = used(), usage = usage_ns(RUSAGE_SELF) + 1 * MS;
	CHECK(thread >= 20 * MS && process >= thread && usage >= process);
	CHILD(status) {
		spin_for(50 * MS);
		*said = used();
	}
	EQ(status, 0);
	long long children = usage_ns(RUSAGE_CHILDREN) - before + 1 * MS;
	CHECK(children >= *said && children < *said + 100 * MS);
}

/* ---- idle processors --------------------------------------------------------------------------------------------------------------------- */

enum { NICE_TICKS = 1, IDLE_TICKS = 3, FIELDS = 10 };

/* The line of a processor in /proc/stat, in ticks of 10 ms; -1: of all. */
static void stat_of(int cpu, long ticks[FIELDS])
{
	char line[4096], name[16];
	FILE *f = fopen("/proc/stat", "r");

	NEED(f);
	memset(ticks, 0, FIELDS * sizeof *ticks);
	snprintf(name, sizeof name, cpu < 0 ? "cpu" : "cpu%d", cpu);
	while (fgets(line, sizeof line, f)) {
		char *at = strchr(line, ' ');
		if (!at || (size_t)(at - line) != strlen(name) || strncmp(line, name, (size_t)(at - line)))
			continue;
		for (int i = 0; i < FIELDS; i++)
			ticks[i] = strtol(at, &at, 10);
		fclose(f);
		return;
	}
	FAIL("/proc/stat has no line of %s", name);
	fclose(f);
}

static long idle_of(int cpu)
{
	long ticks[FIELDS];

	stat_of(cpu, ticks);
	return ticks[IDLE_TICKS];
}

FAULTLINE_TEST(idle_time_is_counted_while_it_passes)
{
	find_cpus();
	long before[CPUS];
	for (int i = 0; i < ncpus; i++)
		before[i] = idle_of(cpus[i]);
	sleep_ms(400);
	for (int i = 0; i < ncpus; i++)
		CHECK(idle_of(cpus[i]) - before[i] >= 20);
}

FAULTLINE_TEST(one_that_computes_is_not_idle)
{
	find_cpus();
	NEED(!pin(0, cpus[ncpus - 1]));
	long before = idle_of(cpus[ncpus - 1]);
	long long began = wall();
	spin_until(began + 400 * MS);
	CHECK(idle_of(cpus[ncpus - 1]) - before <= 10);
}

/* Processor time that is used and that is not make up all there was. */
FAULTLINE_TEST(time_of_processors_adds_up)
{
	find_cpus();
	spin_until(wall() + 50 * MS);
	for (int i = -1; i < ncpus; i++) {
		long ticks[FIELDS], sum = 0;
		stat_of(i < 0 ? -1 : cpus[i], ticks);
		for (int k = 0; k < FIELDS; k++)
			sum += ticks[k];
		long up = (long)(wall() / (10 * MS)) * (i < 0 ? ncpus : 1);
		if (sum < up - up / 10 - 50 || sum > up + 5)
			FAIL("cpu%d has %ld ticks of %ld", i, sum, up);
	}
}

/* Work that waits for one processor does not keep the others awake. */
FAULTLINE_TEST(what_may_not_run_here_wakes_nobody)
{
	struct loop *l = loops();

	need_two();
	NEED(!pin(0, cpus[0]));
	for (int i = 0; i < 3; i++)
		begin_loop(&l[i], cpus[0]);
	while (!l[0].rounds || !l[1].rounds || !l[2].rounds)
		sleep_ms(1);
	long before = idle_of(cpus[1]);
	sleep_ms(500);
	CHECK(idle_of(cpus[1]) - before >= 25);
	for (int i = 0; i < 3; i++)
		end(l[i].pid);
}

/* ---- what is said of processors -------------------------------------------------------------------------------------------------------- */

static int lines_of(const char *path, const char *start)
{
	char line[4096];
	int n = 0;
	FILE *f = fopen(path, "r");

	NEED(f);
	while (fgets(line, sizeof line, f))
		n += !strncmp(line, start, strlen(start));
	fclose(f);
	return n;
}

TEST(ranges_of_priorities)
{
	CHECK(sched_get_priority_min(SCHED_FIFO) == 1 && sched_get_priority_max(SCHED_RR) == 99);
	CHECK(sched_get_priority_min(SCHED_BATCH) == 0 && sched_get_priority_max(SCHED_IDLE) == 0);
	CHECK(sched_get_priority_min(6) == 0 && sched_get_priority_max(6) == 0);		/* SCHED_DEADLINE */
	FAILS(sched_get_priority_max(7), EINVAL);
	FAILS(sched_get_priority_min(-1), EINVAL);
}

TEST(processors_are_listed)
{
	static const char *const lists[] = { "online", "possible", "present" };
	char path[64], text[64], expected[64];

	find_cpus();
	EQ(lines_of("/proc/stat", "cpu") - 1, sysconf(_SC_NPROCESSORS_ONLN));
	EQ(lines_of("/proc/cpuinfo", "processor\t"), sysconf(_SC_NPROCESSORS_ONLN));
	if (!on_faultline())
		return;					/* not all may be ours */
	EQ(ncpus, sysconf(_SC_NPROCESSORS_ONLN));
	EQ(cpus[ncpus - 1], ncpus - 1);
	snprintf(expected, sizeof expected, ncpus > 1 ? "0-%d\n" : "%d\n", ncpus - 1);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "/sys/devices/system/cpu/%s", lists[i]);
		FILE *f = fopen(path, "r");
		NEED(f && fgets(text, sizeof text, f));
		fclose(f);
		CHECK(!strcmp(text, expected));
	}
}

/* Each stops all others; several at once, with others that fork and sleep. */
FAULTLINE_TEST(the_machine_is_stopped_by_several_at_once)
{
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		struct vmcheck c;
		for (int n = 0; n < 30; n++) {
			if (i < 4) {
				NEED(tap_vmcheck(&c) >= 0 && !c.errors);
			} else if (i < 6) {
				pid_t child = fork();
				if (!child)
					_exit(0);
				EQ(wait_status(child), 0);
			} else {
				usleep(500);
			}
		}
		_exit(tap_failures != 0);
	}
	for (int i = 0; i < 8; i++)
		EQ(wait_status(pid[i]), 0);
}
