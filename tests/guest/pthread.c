/*
 * tests/guest/pthread.c - threads as programs use them: the pthread functions of musl and glibc, and what exec, exit, fork and signals do to a process with threads.
 *
 * The raw calls below them, errno by errno, are in threads.c.
 */
#define TAP_OWN_MAIN
#include "tests/guest/tap.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/time.h>

enum { MANY = 8 };

static pid_t gettid_(void) { return (pid_t)syscall(SYS_gettid); }

static pthread_t begin(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	int error = pthread_create(&t, NULL, fn, arg);
	if (error)
		errno = error;
	NEED(error == 0);
	return t;
}

static void *join(pthread_t t)
{
	void *result = NULL;
	EQ(pthread_join(t, &result), 0);
	return result;
}

/* Waits until a word has a value; a case that waits in vain runs into its time limit. */
static void await_value(volatile int *word, int value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
		sched_yield();
}

static void set(volatile int *word, int value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

/* The state letter of a thread, from /proc. */
static int state_of(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	char *end = strrchr(text, ')');
	return end ? end[2] : 0;
}

static void await_state(pid_t pid, pid_t tid, int state)
{
	while (state_of(pid, tid) != state)
		sleep_ms(1);
}

static volatile pid_t sleeper_tid;
static void tell_tid(void) { __atomic_store_n(&sleeper_tid, gettid_(), __ATOMIC_SEQ_CST); }

/* Until that thread has said its number and sleeps. */
static pid_t await_sleeper(void)
{
	pid_t tid;
	while ((tid = __atomic_load_n(&sleeper_tid, __ATOMIC_SEQ_CST)) == 0)
		sched_yield();
	await_state(getpid(), tid, 'S');
	return tid;
}

/* ---- create, join, detach --------------------------------------------------------------------------------------------------------- */

static void *plus_one(void *arg) { return (char *)arg + 1; }

TEST(a_thread_is_created_and_joined)
{
	for (long i = 0; i < 200; i++)
		EQ((long)join(begin(plus_one, (void *)i)), i + 1);
}

static int counted;
static void *count(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *create_some(void *arg)
{
	(void)arg;
	for (int i = 0; i < 25; i++)
		join(begin(count, NULL));
	return NULL;
}

TEST(many_create_and_join_at_once)
{
	pthread_t t[MANY];
	for (int i = 0; i < MANY; i++)
		t[i] = begin(create_some, NULL);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(counted, MANY * 25);
}

TEST(three_hundred_threads_at_once)
{
	enum { CROWD = 300 };
	static pthread_t t[CROWD];
	static pthread_barrier_t all;
	static pid_t tids[CROWD];
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	NEED(pthread_barrier_init(&all, NULL, CROWD + 1) == 0);
	void *wait_there(void *arg)
	{
		tids[(long)arg] = gettid_();
		pthread_barrier_wait(&all);
		pthread_barrier_wait(&all);
		return arg;
	}
	for (long i = 0; i < CROWD; i++)
		NEED(pthread_create(&t[i], &attr, wait_there, (void *)i) == 0);
	pthread_barrier_wait(&all);
	for (int i = 0; i < CROWD; i++) {
		CHECK(tids[i] > 0 && tids[i] != getpid());
		EQ(syscall(SYS_tgkill, getpid(), tids[i], 0), 0);
		for (int j = 0; j < i; j++)
			if (tids[i] == tids[j])
				FAIL("two threads have the number %d", tids[i]);
	}
	pthread_barrier_wait(&all);
	for (long i = 0; i < CROWD; i++)
		EQ((long)join(t[i]), i);
	FAILS(syscall(SYS_tgkill, getpid(), tids[0], 0), ESRCH);
}

TEST(detached_threads_end_by_themselves)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 50; i++) {
		pthread_t t;
		NEED(pthread_create(&t, &attr, count, NULL) == 0);
		pthread_detach(begin(count, NULL));
	}
	await_value(&counted, 100);
}

TEST(a_thread_exits_from_deep_inside)
{
	void *leave(void *arg) { pthread_exit((char *)arg + 5); }
	EQ((long)join(begin(leave, NULL)), 5);
}

TEST(what_threads_share_and_what_not)
{
	static pid_t pid, tid;
	static int fd[2];
	void *look(void *arg)
	{
		(void)arg;
		pid = getpid();
		tid = gettid_();
		NEED(pipe(fd) == 0 && chdir("/tmp") == 0);
		umask(031);
		return NULL;
	}
	char cwd[64];
	join(begin(look, NULL));
	EQ(pid, getpid());
	CHECK(tid != gettid_() && gettid_() == getpid());
	EQ(write(fd[1], "x", 1), 1);
	CHECK(getcwd(cwd, sizeof cwd) && !strcmp(cwd, "/tmp"));
	EQ(umask(022), 031);
}

/* ---- thread-local storage ------------------------------------------------------------------------------------------------------------ */

static __thread int mine = 7;
static __thread char large[5000];

TEST(thread_local_storage_is_each_ones_own)
{
	static int *places[MANY];
	static pthread_barrier_t all;
	pthread_t t[MANY];
	NEED(pthread_barrier_init(&all, NULL, MANY) == 0);
	void *use(void *arg)
	{
		long number = (long)arg;
		EQ(mine, 7);
		mine = (int)number;
		memset(large, (int)number, sizeof large);
		places[number] = &mine;
		for (int i = 0; i < 20; i++) {
			pthread_barrier_wait(&all);
			sched_yield();
			EQ(mine, number);
			EQ(large[4999], number);
		}
		return NULL;
	}
	for (long i = 0; i < MANY; i++)
		t[i] = begin(use, (void *)i);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(mine, 7);
	for (int i = 1; i < MANY; i++)
		CHECK(places[i] != places[0]);
}

TEST(keys_have_destructors)
{
	static pthread_key_t key;
	static int destroyed;
	void destroy(void *value) { destroyed += *(int *)value; }
	static int values[] = { 1, 10, 100 };
	void *use(void *arg) { pthread_setspecific(key, arg); return NULL; }
	NEED(pthread_key_create(&key, destroy) == 0);
	for (int i = 0; i < 3; i++)
		join(begin(use, &values[i]));
	EQ(destroyed, 111);
}

static void *count_up(void *arg) { ++*(int *)arg; return NULL; }

TEST(errno_is_each_ones_own)
{
	void *fail(void *arg) { (void)arg; close(-1); EQ(errno, EBADF); return NULL; }
	errno = 42;
	join(begin(fail, NULL));
	EQ(errno, 42);
	int value = 0;
	join(begin(count_up, &value));
	EQ(value, 1);
}

/* ---- waiting for one another ------------------------------------------------------------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

TEST(a_mutex_keeps_others_out)
{
	static long sum;
	pthread_t t[MANY];
	void *add(void *arg)
	{
		for (int i = 0; i < 500; i++) {
			pthread_mutex_lock(&mutex);
			long before = sum;
			if (i % 16 == 0)
				sched_yield();
			sum = before + 1;
			pthread_mutex_unlock(&mutex);
		}
		return arg;
	}
	for (int i = 0; i < MANY; i++)
		t[i] = begin(add, NULL);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(sum, MANY * 500);
}

TEST(condition_variables)
{
	static int queue[4], head, tail, taken, sum;
	pthread_t t[MANY];
	void *take(void *arg)
	{
		for (;;) {
			pthread_mutex_lock(&mutex);
			while (head == tail)
				pthread_cond_wait(&cond, &mutex);
			int item = queue[tail++ % 4];
			sum += item;
			taken++;
			pthread_cond_broadcast(&cond);
			pthread_mutex_unlock(&mutex);
			if (item == 0)
				return arg;
		}
	}
	for (int i = 0; i < MANY; i++)
		t[i] = begin(take, NULL);
	for (int i = 200; i > -MANY; i--) {
		pthread_mutex_lock(&mutex);
		while (head - tail == 4)
			pthread_cond_wait(&cond, &mutex);
		queue[head++ % 4] = i > 0 ? i : 0;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(sum, 200 * 201 / 2);
	EQ(taken, 200 + MANY);
}

TEST(a_condition_wakes_one_or_all)
{
	static int waiting, woken, turns;
	pthread_t t[MANY];
	void *wait_once(void *arg)
	{
		pthread_mutex_lock(&mutex);
		waiting++;
		while (turns == 0)
			pthread_cond_wait(&cond, &mutex);
		turns--;
		woken++;
		pthread_mutex_unlock(&mutex);
		return arg;
	}
	for (int i = 0; i < MANY; i++)
		t[i] = begin(wait_once, NULL);
	for (int all = 0; !all; sched_yield()) {
		pthread_mutex_lock(&mutex);
		all = waiting == MANY;
		pthread_mutex_unlock(&mutex);
	}
	pthread_mutex_lock(&mutex);
	turns = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	await_value(&woken, 1);
	sleep_ms(20);
	EQ(woken, 1);
	pthread_mutex_lock(&mutex);
	turns = MANY;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(woken, MANY);
}

TEST(a_condition_times_out)
{
	struct timespec now, then;
	clock_gettime(CLOCK_REALTIME, &then);
	then.tv_nsec += 50000000;
	if (then.tv_nsec >= 1000000000)
		then.tv_sec++, then.tv_nsec -= 1000000000;
	pthread_mutex_lock(&mutex);
	EQ(pthread_cond_timedwait(&cond, &mutex, &then), ETIMEDOUT);
	EQ(pthread_mutex_unlock(&mutex), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(now.tv_sec > then.tv_sec || (now.tv_sec == then.tv_sec && now.tv_nsec >= then.tv_nsec));
	EQ(pthread_mutex_lock(&mutex), 0);
	EQ(pthread_mutex_timedlock(&mutex, &then), ETIMEDOUT);
}

TEST(barriers_hold_until_all_are_there)
{
	static pthread_barrier_t barrier;
	static int arrived, serial;
	pthread_t t[MANY];
	NEED(pthread_barrier_init(&barrier, NULL, MANY) == 0);
	void *go(void *arg)
	{
		for (int round = 1; round <= 30; round++) {
			__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
			if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
				__atomic_fetch_add(&serial, 1, __ATOMIC_SEQ_CST);
			EQ(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST), round * MANY);
			pthread_barrier_wait(&barrier);
		}
		return arg;
	}
	for (int i = 0; i < MANY; i++)
		t[i] = begin(go, NULL);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(serial, 30);
	EQ(pthread_barrier_destroy(&barrier), 0);
}

TEST(read_write_locks)
{
	static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	static volatile int readers, writers, both;
	static long value;
	pthread_t t[MANY];
	void *use(void *arg)
	{
		for (int i = 0; i < 200; i++) {
			if ((i + (long)arg) % 4 == 0) {
				pthread_rwlock_wrlock(&lock);
				if (__atomic_fetch_add(&writers, 1, __ATOMIC_SEQ_CST) || readers)
					both = 1;
				value++;
				if (i % 8 == 0)
					sched_yield();
				__atomic_fetch_sub(&writers, 1, __ATOMIC_SEQ_CST);
			} else {
				pthread_rwlock_rdlock(&lock);
				__atomic_fetch_add(&readers, 1, __ATOMIC_SEQ_CST);
				if (writers)
					both = 1;
				sched_yield();
				__atomic_fetch_sub(&readers, 1, __ATOMIC_SEQ_CST);
			}
			pthread_rwlock_unlock(&lock);
		}
		return NULL;
	}
	for (long i = 0; i < MANY; i++)
		t[i] = begin(use, (void *)i);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(both, 0);
	EQ(value, MANY * 50);
	EQ(pthread_rwlock_trywrlock(&lock), 0);
}

TEST(semaphores)
{
	static sem_t full, empty;
	static int slot, sum;
	NEED(sem_init(&full, 0, 0) == 0 && sem_init(&empty, 0, 1) == 0);
	void *take(void *arg)
	{
		for (int i = 0; i < 300; i++) {
			while (sem_wait(&full))
				;
			sum += slot;
			sem_post(&empty);
		}
		return arg;
	}
	pthread_t t = begin(take, NULL);
	for (int i = 0; i < 300; i++) {
		while (sem_wait(&empty))
			;
		slot = i;
		sem_post(&full);
	}
	join(t);
	EQ(sum, 299 * 300 / 2);
	FAILS(sem_trywait(&full), EAGAIN);
	struct timespec past = { 1, 0 };
	FAILS(sem_timedwait(&full, &past), ETIMEDOUT);
}

TEST(once)
{
	static pthread_once_t control = PTHREAD_ONCE_INIT;
	static int times;
	pthread_t t[MANY];
	void init(void) { sleep_ms(10); times++; }
	void *use(void *arg) { pthread_once(&control, init); EQ(times, 1); return arg; }
	for (int i = 0; i < MANY; i++)
		t[i] = begin(use, NULL);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(times, 1);
}

/* ---- cancellation ---------------------------------------------------------------------------------------------------------------------- */

TEST(a_sleeping_thread_is_cancelled)
{
	static int cleaned;
	void clean(void *arg) { cleaned += *(int *)arg; }
	void *sleep_long(void *arg)
	{
		pthread_cleanup_push(clean, arg);
		tell_tid();
		for (;;)
			pause();
		pthread_cleanup_pop(0);
		return NULL;
	}
	static int amount = 3;
	pthread_t t = begin(sleep_long, &amount);
	await_sleeper();
	EQ(pthread_cancel(t), 0);
	CHECK(join(t) == PTHREAD_CANCELED);
	EQ(cleaned, 3);
}

TEST(cancelled_in_read_and_in_a_condition)
{
	static int pipes[2];
	NEED(pipe(pipes) == 0);
	void *read_it(void *arg) { char c; tell_tid(); EQ(read(pipes[0], &c, 1), 1); return arg; }
	pthread_t t = begin(read_it, NULL);
	await_sleeper();
	pthread_cancel(t);
	CHECK(join(t) == PTHREAD_CANCELED);

	static int cleaned;
	void clean(void *arg) { (void)arg; cleaned = pthread_mutex_unlock(&mutex) == 0; }	/* it has the mutex again */
	void *wait_it(void *arg)
	{
		(void)arg;
		pthread_mutex_lock(&mutex);
		pthread_cleanup_push(clean, NULL);
		tell_tid();
		for (;;)
			pthread_cond_wait(&cond, &mutex);
		pthread_cleanup_pop(0);
		return NULL;
	}
	sleeper_tid = 0;
	t = begin(wait_it, NULL);
	await_sleeper();
	pthread_cancel(t);
	CHECK(join(t) == PTHREAD_CANCELED);
	EQ(cleaned, 1);
	EQ(pthread_mutex_trylock(&mutex), 0);
}

TEST(cancellation_waits_until_it_is_wanted)
{
	static int stage;
	void *work(void *arg)
	{
		int old;
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
		set(&stage, 1);
		await_value(&stage, 2);
		sleep_ms(5);
		set(&stage, 3);
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
		pthread_testcancel();
		set(&stage, 4);
		return arg;
	}
	pthread_t t = begin(work, NULL);
	await_value(&stage, 1);
	pthread_cancel(t);
	set(&stage, 2);
	CHECK(join(t) == PTHREAD_CANCELED);
	EQ(stage, 3);
}

TEST(a_busy_thread_is_cancelled_asynchronously)
{
	static int stage;
	void *spin(void *arg)
	{
		int old;
		(void)arg;
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
		set(&stage, 1);
		for (;;)
			__asm__ volatile ("" ::: "memory");
		return NULL;
	}
	pthread_t t = begin(spin, NULL);
	await_value(&stage, 1);
	pthread_cancel(t);
	CHECK(join(t) == PTHREAD_CANCELED);
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------------------ */

static volatile pid_t handled_by;
static volatile int handled;
static void note(int signo)
{
	(void)signo;
	handled_by = gettid_();
	__atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
}

static void handle_usr1(int flags)
{
	struct sigaction a = { .sa_handler = note, .sa_flags = flags };
	sigaction(SIGUSR1, &a, NULL);
}

static void mask(int how, int signo)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, signo);
	EQ(pthread_sigmask(how, &s, NULL), 0);
}

static volatile int stop_it;
static void *sleep_until_told(void *arg)
{
	if (arg)
		mask(SIG_BLOCK, SIGUSR1);
	tell_tid();
	while (!stop_it)
		usleep(2000);
	return NULL;
}

TEST(a_signal_for_a_thread_reaches_that_one)
{
	handle_usr1(SA_RESTART);
	pthread_t t = begin(sleep_until_told, NULL);
	pid_t tid = await_sleeper();
	for (int i = 1; i <= 20; i++) {
		EQ(pthread_kill(t, SIGUSR1), 0);
		await_value(&handled, i);
		EQ(handled_by, tid);
	}
	EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
	EQ(handled, 21);
	EQ(handled_by, gettid_());
	stop_it = 1;
	join(t);
}

TEST(a_signal_for_the_process_prefers_the_main_thread)
{
	handle_usr1(SA_RESTART);
	pthread_t t = begin(sleep_until_told, NULL);
	await_sleeper();
	static int ready;
	void *send(void *arg) { await_value(&ready, 1); kill(getpid(), SIGUSR1); return arg; }
	pthread_t s = begin(send, NULL);		/* blocks all signals for a while */
	set(&ready, 1);
	await_value(&handled, 1);
	EQ(handled_by, getpid());
	stop_it = 1;
	join(s);
	join(t);
}

TEST(a_signal_for_the_process_goes_to_one_that_does_not_block_it)
{
	handle_usr1(SA_RESTART);
	mask(SIG_BLOCK, SIGUSR1);
	pthread_t blocking = begin(sleep_until_told, (void *)1);
	await_sleeper();
	sleeper_tid = 0;
	void *open_to_it(void *arg) { mask(SIG_UNBLOCK, SIGUSR1); return sleep_until_told(arg); }
	pthread_t t = begin(open_to_it, NULL);
	pid_t tid = await_sleeper();
	for (int i = 1; i <= 10; i++) {
		EQ(kill(getpid(), SIGUSR1), 0);
		await_value(&handled, i);
		EQ(handled_by, tid);
	}
	stop_it = 1;
	join(t);
	join(blocking);
}

TEST(a_signal_that_all_block_is_taken_by_the_first_that_unblocks_it)
{
	handle_usr1(SA_RESTART);
	mask(SIG_BLOCK, SIGUSR1);
	kill(getpid(), SIGUSR1);
	static pid_t tid;
	void *unblock(void *arg)
	{
		sigset_t pending;
		tid = gettid_();
		sigpending(&pending);
		EQ(sigismember(&pending, SIGUSR1), 1);
		EQ(handled, 0);
		mask(SIG_UNBLOCK, SIGUSR1);
		EQ(handled, 1);
		return arg;
	}
	join(begin(unblock, NULL));
	EQ(handled_by, tid);
	sigset_t pending;
	sigpending(&pending);
	EQ(sigismember(&pending, SIGUSR1), 0);
}

TEST(a_signal_for_one_thread_is_pending_there_alone)
{
	mask(SIG_BLOCK, SIGUSR1);
	pthread_kill(pthread_self(), SIGUSR1);
	void *look(void *arg)
	{
		sigset_t pending;
		sigpending(&pending);
		EQ(sigismember(&pending, SIGUSR1), 0);
		return arg;
	}
	join(begin(look, NULL));
	sigset_t pending;
	sigpending(&pending);
	EQ(sigismember(&pending, SIGUSR1), 1);
}

TEST(who_exits_leaves_signals_of_the_process_to_others)
{
	enum { ROUNDS = 30 };
	handle_usr1(SA_RESTART);
	mask(SIG_BLOCK, SIGUSR1);
	void *take_or_leave(void *arg) { mask(SIG_UNBLOCK, SIGUSR1); return arg; }
	for (int i = 1; i <= ROUNDS; i++) {
		pthread_t a = begin(take_or_leave, NULL), b = begin(take_or_leave, NULL);
		kill(getpid(), SIGUSR1);
		join(a);
		join(b);
		mask(SIG_UNBLOCK, SIGUSR1);
		EQ(handled, i);
		mask(SIG_BLOCK, SIGUSR1);
	}
}

TEST(several_wait_for_signals)
{
	enum { WAITERS = 4, SENT = 40 };
	static int got[WAITERS], sum;
	static sigset_t set1;
	pthread_t t[WAITERS];
	sigemptyset(&set1);
	sigaddset(&set1, SIGRTMIN);
	sigaddset(&set1, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set1, NULL);
	void *take(void *arg)
	{
		siginfo_t info;
		for (;;) {
			int signo = sigwaitinfo(&set1, &info);
			if (signo < 0 && errno == EINTR)
				continue;
			if (signo == SIGUSR2)
				return arg;
			EQ(signo, SIGRTMIN);
			got[(long)arg]++;
			__atomic_fetch_add(&sum, info.si_value.sival_int, __ATOMIC_SEQ_CST);
		}
	}
	for (long i = 0; i < WAITERS; i++)
		t[i] = begin(take, (void *)i);
	for (int i = 1; i <= SENT; i++)
		EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }), 0);
	await_value(&sum, SENT * (SENT + 1) / 2);
	for (int i = 0; i < WAITERS; i++) {
		pthread_kill(t[i], SIGUSR2);
		join(t[i]);
	}
	EQ(got[0] + got[1] + got[2] + got[3], SENT);
}

TEST(sigtimedwait_gives_up)
{
	static sigset_t s;
	static struct timespec short_time = { 0, 20000000 };
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	void *wait_it(void *arg) { FAILS(sigtimedwait(&s, NULL, &short_time), EAGAIN); return arg; }
	join(begin(wait_it, NULL));
	kill(getpid(), SIGUSR1);
	EQ(sigtimedwait(&s, NULL, &short_time), SIGUSR1);
}

static volatile int spin_on;
static void *spin(void *arg)
{
	volatile unsigned long *turns = arg;
	while (!spin_on)
		++*turns;
	return NULL;
}

TEST(all_threads_stop_and_the_parent_is_told_once)
{
	unsigned long *turns = map_anon(PAGE, MAP_SHARED);
	static volatile int told;
	void tell(int signo) { (void)signo; __atomic_fetch_add(&told, 1, __ATOMIC_SEQ_CST); }
	struct sigaction a = { .sa_handler = tell, .sa_flags = SA_RESTART };
	sigaction(SIGCHLD, &a, NULL);
	pid_t pid = fork();
	if (!pid) {
		begin(spin, &turns[0]);
		begin(spin, &turns[8]);
		begin(sleep_until_told, NULL);
		spin(&turns[16]);
	}
	while (!turns[0] || !turns[8] || !turns[16])
		sched_yield();
	int status;
	for (int round = 0; round < 3; round++) {
		told = 0;
		kill(pid, round == 1 ? SIGTSTP : SIGSTOP);
		EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == (round == 1 ? SIGTSTP : SIGSTOP));
		EQ(told, 1);
		EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
		unsigned long before[] = { turns[0], turns[8], turns[16] };
		sleep_ms(50);
		EQ(before[0], turns[0]);
		EQ(before[1], turns[8]);
		EQ(before[2], turns[16]);
		EQ(told, 1);
		EQ(state_of(pid, pid), 'T');
		kill(pid, SIGCONT);
		EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
		while (before[0] == turns[0] || before[1] == turns[8] || before[2] == turns[16])
			sched_yield();
	}
	kill(pid, SIGSTOP);
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	kill(pid, SIGKILL);
	EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(a_timer_of_the_process_signals_it)
{
	struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
	static volatile int fired;
	void fire(int signo) { (void)signo; fired = gettid_(); }
	signal(SIGALRM, fire);
	mask(SIG_BLOCK, SIGALRM);
	void *take(void *arg)
	{
		mask(SIG_UNBLOCK, SIGALRM);
		while (!fired)
			usleep(1000);
		return arg;
	}
	pthread_t t = begin(take, NULL);
	EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	join(t);
	CHECK(fired && fired != getpid());

	fired = 0;
	signal(SIGVTALRM, fire);
	EQ(setitimer(ITIMER_VIRTUAL, &soon, NULL), 0);
	void *burn(void *arg) { while (!fired) __asm__ volatile ("" ::: "memory"); return arg; }
	join(begin(burn, NULL));
	CHECK(fired);
}

/* ---- fork -------------------------------------------------------------------------------------------------------------------------------- */

static int threads_of(pid_t pid)
{
	char path[64], line[128];
	int n = -1;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "Threads: %d", &n);
	if (f)
		fclose(f);
	return n;
}

TEST(fork_takes_the_calling_thread_alone)
{
	static int status, inner;
	begin(sleep_until_told, NULL);
	void *fork_it(void *arg)
	{
		CHILD(status) {
			EQ(gettid_(), getpid());
			EQ(threads_of(getpid()), 1);
			EQ(kill(getpid(), 0), 0);
			join(begin(count, NULL));		/* the child can have threads, too */
			EQ(counted, 1);
		}
		inner = gettid_();
		return arg;
	}
	join(begin(fork_it, NULL));
	EQ(status, 0);
	EQ(counted, 0);
	EQ(threads_of(getpid()), 2);
	CHECK(inner != getpid());
	stop_it = 1;
}

TEST(fork_handlers_and_children_of_threads)
{
	pthread_t t[MANY];
	static int prepared, in_parent;
	void prepare(void) { __atomic_fetch_add(&prepared, 1, __ATOMIC_SEQ_CST); }
	void parent(void) { __atomic_fetch_add(&in_parent, 1, __ATOMIC_SEQ_CST); }
	pthread_atfork(prepare, parent, NULL);
	void *fork_some(void *arg)
	{
		for (int i = 0; i < 5; i++) {
			pid_t pid = fork();
			if (!pid)
				_exit((int)(long)arg);
			int status = wait_status(pid);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (long)arg);
		}
		return arg;
	}
	for (long i = 0; i < MANY; i++)
		t[i] = begin(fork_some, (void *)i);
	for (int i = 0; i < MANY; i++)
		join(t[i]);
	EQ(prepared, MANY * 5);
	EQ(in_parent, MANY * 5);
	FAILS(waitpid(-1, NULL, 0), ECHILD);
}

TEST(any_thread_waits_for_a_child)
{
	pid_t pid = fork();
	if (!pid)
		_exit(9);
	void *wait_it(void *arg) { return (void *)(long)wait_status(*(pid_t *)arg); }
	EQ(WEXITSTATUS((long)join(begin(wait_it, &pid))), 9);
}

TEST(vfork_suspends_its_thread_alone)
{
	static unsigned long turns;
	pthread_t t = begin(spin, &turns);
	while (!*(volatile unsigned long *)&turns)
		sched_yield();
	unsigned long *seen = map_anon(PAGE, MAP_SHARED);
	pid_t pid = vfork();
	if (!pid) {
		unsigned long before = *(volatile unsigned long *)&turns;
		while (*(volatile unsigned long *)&turns == before)		/* the other thread goes on in this very memory */
			sched_yield();
		*seen = 1;
		_exit(3);
	}
	EQ(WEXITSTATUS(wait_status(pid)), 3);
	EQ(*seen, 1);
	spin_on = 1;
	join(t);
}

/* ---- the end of a process -------------------------------------------------------------------------------------------------------------------- */

/* Threads that are blocked in all kinds of calls. */
static void block_everywhere(void)
{
	static int pipes[2], full[2];
	static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;
	static char bytes[1 << 17];
	void *in_read(void *arg) { char c; EQ(read(pipes[0], &c, 1), 1); return arg; }
	void *in_write(void *arg) { EQ(write(full[1], bytes, sizeof bytes), 0); return arg; }
	void *in_futex(void *arg) { pthread_mutex_lock(&taken); return arg; }
	void *in_sleep(void *arg) { struct timespec t = { 1000, 0 }; nanosleep(&t, NULL); return arg; }
	void *in_pause(void *arg) { pause(); return arg; }
	void *in_wait(void *arg)
	{
		pid_t pid = fork();
		if (!pid) {
			struct timespec t = { 0, 300000000 };
			nanosleep(&t, NULL);
			_exit(0);
		}
		wait_status(pid);
		return arg;
	}
	static volatile unsigned long turns;
	NEED(pipe(pipes) == 0 && pipe(full) == 0);
	pthread_mutex_lock(&taken);
	begin(in_read, NULL);
	begin(in_write, NULL);
	begin(in_futex, NULL);
	begin(in_sleep, NULL);
	begin(in_pause, NULL);
	begin(in_wait, NULL);
	begin(spin, (void *)&turns);
	while (!turns)
		sched_yield();
	sleep_ms(30);
}

TEST(exit_ends_all_threads_wherever_they_are)
{
	pid_t pid = fork();
	if (!pid) {
		block_everywhere();
		_exit(42);
	}
	int status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

TEST(exit_by_another_thread_ends_all)
{
	pid_t pid = fork();
	if (!pid) {
		void *end(void *arg) { _exit((int)(long)arg); }
		block_everywhere();
		begin(end, (void *)43);
		for (;;)
			pause();
	}
	int status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 43);
}

TEST(a_fatal_signal_ends_all)
{
	const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGRTMAX };
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();
		if (!pid) {
			block_everywhere();
			for (;;)
				pause();
		}
		sleep_ms(60);
		kill(pid, signals[i]);
		int status = wait_status(pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
	}
}

TEST(a_fault_in_one_thread_ends_all)
{
	pid_t pid = fork();
	if (!pid) {
		void *fault(void *arg) { *(volatile int *)arg = 1; return arg; }
		block_everywhere();
		begin(fault, (void *)16);
		for (;;)
			pause();
	}
	int status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST(the_main_thread_may_exit_first)
{
	static int from[2];
	NEED(pipe(from) == 0);
	pid_t pid = fork();
	if (!pid) {
		void *outlive(void *arg)
		{
			await_state(getpid(), getpid(), 'Z');
			EQ(threads_of(getpid()), 2);			/* the leader is counted as long as the process is */
			EQ(kill(getpid(), 0), 0);
			EQ(syscall(SYS_tgkill, getpid(), getpid(), 0), 0);
			NEED(write(from[1], "z", 1) == 1);
			sleep_ms(50);
			_exit(tap_failures ? 99 : 17);
			return arg;
		}
		begin(outlive, NULL);
		pthread_exit(NULL);
	}
	char c;
	int status;
	EQ(read(from[0], &c, 1), 1);
	EQ(waitpid(pid, &status, WNOHANG), 0);			/* not yet */
	EQ(state_of(pid, pid), 'Z');
	EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 17);
}

TEST(the_last_thread_to_exit_ends_the_process)
{
	pid_t pid = fork();
	if (!pid) {
		void *sleep_a_little(void *arg) { sleep_ms(20 * (int)(long)arg); return NULL; }
		for (long i = 1; i <= 3; i++)
			begin(sleep_a_little, (void *)i);
		syscall(SYS_exit, 5);		/* musl cannot pthread_exit here after a fork: the others would wait for its lock */
	}
	int status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(a_process_without_its_main_thread_takes_signals)
{
	static int from[2];
	NEED(pipe(from) == 0);
	pid_t pid = fork();
	if (!pid) {
		void *live_on(void *arg)
		{
			handle_usr1(SA_RESTART);
			await_state(getpid(), getpid(), 'Z');
			NEED(write(from[1], "z", 1) == 1);
			while (!handled)
				usleep(1000);
			NEED(write(from[1], "h", 1) == 1);
			for (;;)
				pause();
			return arg;
		}
		begin(live_on, NULL);
		pthread_exit(NULL);
	}
	char c = 0;
	EQ(read(from[0], &c, 1), 1);
	EQ(kill(pid, SIGUSR1), 0);
	EQ(read(from[0], &c, 1), 1);
	EQ(c, 'h');
	kill(pid, SIGSTOP);
	int status;
	EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	kill(pid, SIGCONT);
	kill(pid, SIGTERM);
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* ---- exec ----------------------------------------------------------------------------------------------------------------------------------------- */

static char self_path[PATH_MAX];

/* What the new program finds: see main. */
static void exec_self(const char *what)
{
	char old_tid[16], old_pid[16];
	snprintf(old_tid, sizeof old_tid, "%d", gettid_());
	snprintf(old_pid, sizeof old_pid, "%d", getpid());
	execl(self_path, self_path, "--after-exec", what, old_pid, old_tid, (char *)NULL);
}

TEST(exec_by_a_thread_ends_the_others_and_takes_the_process_number)
{
	for (int by_main = 0; by_main < 2; by_main++) {
		pid_t pid = fork();
		if (!pid) {
			void *go(void *arg) { exec_self(arg); _exit(98); }
			block_everywhere();
			if (by_main)
				go("main");
			begin(go, "other");
			for (;;)
				pause();
		}
		int status = wait_status(pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

TEST(exec_after_the_main_thread_has_gone)
{
	pid_t pid = fork();
	if (!pid) {
		void *go(void *arg)
		{
			await_state(getpid(), getpid(), 'Z');
			exec_self(arg);
			_exit(98);
		}
		begin(go, "other");
		pthread_exit(NULL);
	}
	int status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(an_exec_that_fails_leaves_all_running)
{
	static unsigned long turns;
	pthread_t t = begin(spin, &turns);
	char *none[] = { NULL }, *args[] = { "x", NULL }, *bad[] = { (char *)16, NULL };
	FAILS(execve("/nowhere/at/all", args, none), ENOENT);
	FAILS(execve("/tmp", args, none), EACCES);
	FAILS(execve(self_path, bad, none), EFAULT);
	unsigned long before = *(volatile unsigned long *)&turns;
	while (*(volatile unsigned long *)&turns == before)
		sched_yield();
	spin_on = 1;
	join(t);
}

TEST(two_exec_at_once_and_one_wins)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		if (!pid) {
			static pthread_barrier_t both;
			pthread_barrier_init(&both, NULL, 3);
			void *go(void *arg) { pthread_barrier_wait(&both); exec_self(arg); _exit(98); }
			begin(go, "other");
			begin(go, "other");
			pthread_barrier_wait(&both);
			for (;;)
				pause();
		}
		int status = wait_status(pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

TEST(exec_and_exit_at_once)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (!pid) {
			static pthread_barrier_t both;
			pthread_barrier_init(&both, NULL, 2);
			void *go(void *arg) { pthread_barrier_wait(&both); exec_self(arg); _exit(98); }
			begin(go, "other");
			pthread_barrier_wait(&both);
			if (i % 2)
				sched_yield();
			_exit(55);
		}
		int status = wait_status(pid);
		CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 55));
	}
}

/* ---- robust mutexes ------------------------------------------------------------------------------------------------------------------------------- */

static void init_robust(pthread_mutex_t *m, int shared)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	NEED(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	NEED(pthread_mutexattr_setpshared(&attr, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE) == 0);
	NEED(pthread_mutex_init(m, &attr) == 0);
}

TEST(the_owner_of_a_robust_mutex_dies)
{
	static pthread_mutex_t m[3];
	for (int i = 0; i < 3; i++)
		init_robust(&m[i], 0);
	void *lock_and_die(void *arg) { for (int i = 0; i < 3; i++) pthread_mutex_lock(&m[i]); return arg; }
	join(begin(lock_and_die, NULL));
	for (int i = 0; i < 3; i++) {
		EQ(pthread_mutex_lock(&m[i]), EOWNERDEAD);
		EQ(pthread_mutex_consistent(&m[i]), 0);
		EQ(pthread_mutex_unlock(&m[i]), 0);
		EQ(pthread_mutex_lock(&m[i]), 0);
	}
}

TEST(who_waits_for_a_robust_mutex_is_woken_by_the_owners_death)
{
	pthread_mutex_t *m = map_anon(PAGE, MAP_SHARED);
	volatile int *locked = (int *)((char *)m + 2048);
	for (int how = 0; how < 3; how++) {
		init_robust(m, 1);
		set(locked, 0);
		pid_t pid = fork();
		if (!pid) {
			pthread_mutex_lock(m);
			set(locked, 1);
			sleep_ms(50);
			if (how == 1)
				raise(SIGKILL);
			if (how == 2)
				execl("/bin/true", "true", (char *)NULL);	/* ends as the list says, too */
			_exit(0);
		}
		await_value(locked, 1);
		EQ(pthread_mutex_lock(m), EOWNERDEAD);
		EQ(pthread_mutex_unlock(m), 0);				/* not made consistent: nobody gets it any more */
		EQ(pthread_mutex_lock(m), ENOTRECOVERABLE);
		wait_status(pid);
	}
}

/* ---- stacks, names, accounts ----------------------------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) int overflow(int depth)
{
	volatile char block[1024];
	block[depth % 1024] = 1;
	return depth > 1 << 30 ? block[0] : overflow(depth + 1) + block[1];
}

TEST(a_stack_has_a_guard)
{
	static sigjmp_buf back;
	static volatile uintptr_t at;
	void land(int signo, siginfo_t *info, void *context)
	{
		(void)signo, (void)context;
		at = (uintptr_t)info->si_addr;
		siglongjmp(back, 1);
	}
	struct sigaction a = { .sa_sigaction = land, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaction(SIGSEGV, &a, NULL);
	static uintptr_t top;
	void *run_over(void *arg)
	{
		static char other[65536];
		stack_t stack = { .ss_sp = other, .ss_size = sizeof other };
		top = (uintptr_t)&arg;
		sigaltstack(&stack, NULL);
		if (!sigsetjmp(back, 1))
			overflow(0);
		return arg;
	}
	pthread_attr_t attr;
	pthread_t t;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	NEED(pthread_create(&t, &attr, run_over, NULL) == 0);
	join(t);
	CHECK(at && at < top && top - at <= (256 << 10) + 2 * PAGE);
}

TEST(each_thread_has_a_name)
{
	char path[64], name[32] = "", mine_then[32] = "";
	static pid_t tid;
	static int stage;
	void *be_called(void *arg)
	{
		pthread_setname_np(pthread_self(), "second");
		tid = gettid_();
		set(&stage, 1);
		await_value(&stage, 2);
		return arg;
	}
	pthread_t t = begin(be_called, NULL);
	await_value(&stage, 1);
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", getpid(), tid);
	int fd = open(path, O_RDONLY);
	NEED(fd >= 0);
	CHECK(read(fd, name, sizeof name) == 7 && !memcmp(name, "second\n", 7));
	close(fd);
	fd = open("/proc/self/comm", O_RDONLY);
	NEED(fd >= 0);
	CHECK(read(fd, mine_then, sizeof mine_then) > 0 && strcmp(mine_then, name));
	close(fd);
	set(&stage, 2);
	join(t);
	CHECK(access(path, F_OK) != 0);
}

TEST(processor_time_and_faults_of_a_thread)
{
	struct rusage mine_, all, before;
	void *use_some(void *arg)
	{
		struct rusage usage;
		char *p = map_anon(64 * PAGE, MAP_PRIVATE);
		for (int i = 0; i < 64; i++)
			p[i * PAGE] = 1;
		NEED(getrusage(RUSAGE_THREAD, &usage) == 0);
		CHECK(usage.ru_minflt >= 64);
		munmap(p, 64 * PAGE);
		return arg;
	}
	NEED(getrusage(RUSAGE_SELF, &before) == 0);
	join(begin(use_some, NULL));
	NEED(getrusage(RUSAGE_THREAD, &mine_) == 0 && getrusage(RUSAGE_SELF, &all) == 0);
	CHECK(all.ru_minflt - before.ru_minflt >= 64);
	CHECK(all.ru_minflt - mine_.ru_minflt >= 64);		/* also what a thread took that is gone */
}

/* ---- main -------------------------------------------------------------------------------------------------------------------------------------- */

/* The program that exec_self has started: alone, with the number of the process, its old threads gone. */
static int after_exec(char **argv)
{
	pid_t old_pid = atoi(argv[3]), old_tid = atoi(argv[4]);
	if (getpid() != old_pid || gettid_() != old_pid || threads_of(getpid()) != 1)
		return 1;
	if (!strcmp(argv[2], "other") && (old_tid == old_pid || syscall(SYS_tgkill, old_pid, old_tid, 0) == 0))
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argv);
	NEED(readlink("/proc/self/exe", self_path, sizeof self_path - 1) > 0);
	return tap_main(argc, argv);
}
