/* tests/guest/futexpi.c - mutexes that pass priorities on, by the calls and by the C library; waiting for several words. */
#include "tap.h"
#include <pthread.h>
#include <sched.h>

enum { WAIT, WAKE, LOCK_PI = 6, UNLOCK_PI, TRYLOCK_PI, LOCK_PI2 = 13, PRIVATE = 128 };
#define WAITERS	0x80000000u
#define DIED	0x40000000u

static long futex(volatile uint32_t *word, int op, uint32_t value, const struct timespec *t) { return syscall(SYS_futex, word, op, value, t, NULL, 0); }
static int tid(void) { return (int)syscall(SYS_gettid); }

static struct timespec from_now(clockid_t clock, long ms)
{
	struct timespec t;
	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

TEST(the_word_says_who_has_it)
{
	volatile uint32_t *w = (volatile uint32_t *)map_anon(PAGE, MAP_PRIVATE);
	EQ(futex(w, LOCK_PI, 0, NULL), 0);
	EQ(*w, tid());
	FAILS(futex(w, LOCK_PI, 0, NULL), EDEADLK);
	FAILS(futex(w, TRYLOCK_PI, 0, NULL), EDEADLK);
	EQ(futex(w, UNLOCK_PI, 0, NULL), 0);
	EQ(*w, 0);
	FAILS(futex(w, UNLOCK_PI, 0, NULL), EPERM);
	EQ(futex(w, TRYLOCK_PI | PRIVATE, 0, NULL), 0);
	EQ(*w, tid());
	EQ(futex(w, UNLOCK_PI | PRIVATE, 0, NULL), 0);
	*w = 0x3ffffff0;			/* nobody has this number */
	FAILS(futex(w, LOCK_PI, 0, NULL), ESRCH);
	*w = DIED;				/* a robust one: ours now, and it says so */
	EQ(futex(w, LOCK_PI, 0, NULL), 0);
	EQ(*w, tid() | DIED);
	EQ(futex(w, UNLOCK_PI, 0, NULL), 0);
	FAILS(futex(NULL, LOCK_PI, 0, NULL), EFAULT);
	FAILS(futex((volatile uint32_t *)((char *)w + 2), LOCK_PI, 0, NULL), EINVAL);
}

static volatile uint32_t word;
static volatile int holds, release_it;

static void *hold(void *arg)
{
	EQ(futex(&word, LOCK_PI, 0, NULL), 0);
	__atomic_store_n(&holds, tid(), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&release_it, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	if (!arg)
		EQ(futex(&word, UNLOCK_PI, 0, NULL), 0);
	return NULL;
}

static pthread_t begin_hold(void *dies)
{
	pthread_t t;
	word = 0;
	holds = release_it = 0;
	NEED(!pthread_create(&t, NULL, hold, dies));
	while (!__atomic_load_n(&holds, __ATOMIC_SEQ_CST))
		sched_yield();
	return t;
}

static void end_hold(pthread_t t)
{
	__atomic_store_n(&release_it, 1, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
}

TEST(who_waits_gets_it)
{
	pthread_t t = begin_hold(NULL);
	EQ(word, holds);
	FAILS(futex(&word, TRYLOCK_PI, 0, NULL), EAGAIN);
	struct timespec end = from_now(CLOCK_REALTIME, 20);
	FAILS(futex(&word, LOCK_PI, 0, &end), ETIMEDOUT);
	end = from_now(CLOCK_MONOTONIC, 20);
	if (futex(&word, LOCK_PI2, 0, &end) != -1 || (errno != ETIMEDOUT && errno != ENOSYS))
		FAIL("LOCK_PI2: %d", errno);
	CHECK(word & WAITERS);
	FAILS(futex(&word, UNLOCK_PI, 0, NULL), EPERM);
	__atomic_store_n(&release_it, 1, __ATOMIC_SEQ_CST);
	EQ(futex(&word, LOCK_PI, 0, NULL), 0);
	EQ(word & ~WAITERS, tid());
	pthread_join(t, NULL);
	EQ(futex(&word, UNLOCK_PI, 0, NULL), 0);
	EQ(word, 0);
}

static void nothing(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; }

TEST(signals_do_not_end_it)
{
	pthread_t t = begin_hold(NULL);
	handle(SIGALRM, nothing, 0);
	ualarm(20000, 20000);
	struct timespec end = from_now(CLOCK_REALTIME, 120);
	FAILS(futex(&word, LOCK_PI, 0, &end), ETIMEDOUT);
	ualarm(0, 0);
	end_hold(t);
}

TEST(an_owner_that_dies)
{
	pthread_t t = begin_hold("dies");
	__atomic_store_n(&release_it, 1, __ATOMIC_SEQ_CST);
	struct timespec end = from_now(CLOCK_REALTIME, 3000);
	long got = futex(&word, LOCK_PI, 0, &end);
	if (got && errno == ESRCH) {			/* it was gone before we came */
		pthread_join(t, NULL);
		return;
	}
	EQ(got, 0);
	EQ(word & 0x3fffffff, tid());
	pthread_join(t, NULL);
	EQ(futex(&word, UNLOCK_PI, 0, NULL), 0);
}

enum { THREADS = 4, ROUNDS = 3000 };
static pthread_mutex_t mutex;
static long counter;

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		long v = *(volatile long *)&counter;
		if (i % 64 == 0)
			sched_yield();
		*(volatile long *)&counter = v + 1;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST(a_mutex_of_the_c_library)
{
	pthread_mutexattr_t attr;
	pthread_t t[THREADS];
	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT))
		SKIP("the C library has none");
	EQ(pthread_mutex_init(&mutex, &attr), 0);
	for (int i = 0; i < THREADS; i++)
		NEED(!pthread_create(&t[i], NULL, count, NULL));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	EQ(counter, THREADS * ROUNDS);
	EQ(pthread_mutex_destroy(&mutex), 0);
}

static void *lock_and_die(void *arg)
{
	pthread_mutex_lock(&mutex);
	__atomic_store_n(&holds, 1, __ATOMIC_SEQ_CST);
	sleep_ms(30);
	return arg;
}

TEST(a_robust_one)
{
	pthread_mutexattr_t attr;
	pthread_t t;
	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) || pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST))
		SKIP("the C library has none");
	EQ(pthread_mutex_init(&mutex, &attr), 0);
	for (int i = 0; i < 10; i++) {
		holds = 0;
		NEED(!pthread_create(&t, NULL, lock_and_die, NULL));
		while (!__atomic_load_n(&holds, __ATOMIC_SEQ_CST))
			sched_yield();
		EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
		EQ(pthread_mutex_consistent(&mutex), 0);
		EQ(pthread_mutex_unlock(&mutex), 0);
		pthread_join(t, NULL);
	}
}

/* The owner, whose policy is the usual one, and one that computes with a real-time policy on the same processor, and one above both that waits for the owner. */
static volatile int spin_on, owner_ready, got_it, owner_goes;

static void *own(void *arg)
{
	EQ(futex(&word, LOCK_PI, 0, NULL), 0);
	owner_ready = 1;
	while (!owner_goes)
		sleep_ms(1);
	for (volatile long i = 0; i < 30000000; i++)
		;
	EQ(futex(&word, UNLOCK_PI, 0, NULL), 0);
	return arg;
}

static int realtime(int priority)
{
	struct { int priority; } p = { priority };
	return (int)syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p);
}

static void *spin(void *arg)
{
	realtime(10);
	while (spin_on)
		;
	return arg;
}

static void *want(void *arg)
{
	realtime(20);
	EQ(futex(&word, LOCK_PI, 0, NULL), 0);
	got_it = spin_on ? 1 : 2;
	EQ(futex(&word, UNLOCK_PI, 0, NULL), 0);
	spin_on = 0;
	return arg;
}

TEST(an_owner_gets_the_priority_of_who_waits)
{
	unsigned long one = 1;
	int status;
	pthread_t owner, spinner, wanter;
	CHILD(status)
		_exit(realtime(1) ? 77 : 0);
	if (status || syscall(SYS_sched_setaffinity, 0, sizeof one, &one))
		SKIP("no real-time policies here");
	spin_on = 1;
	NEED(!pthread_create(&owner, NULL, own, NULL));
	while (!owner_ready)
		sleep_ms(1);
	realtime(30);
	NEED(!pthread_create(&wanter, NULL, want, NULL));
	sleep_ms(20);
	NEED(!pthread_create(&spinner, NULL, spin, NULL));
	owner_goes = 1;
	pthread_join(wanter, NULL);
	EQ(got_it, 1);
	pthread_join(owner, NULL);
	pthread_join(spinner, NULL);
}

/* ---- several words ------------------------------------------------------------------------------------------------------- */

struct waitv { uint64_t value, address; uint32_t flags, reserved; };
static volatile uint32_t words[4];

static long waitv(struct waitv *v, unsigned n, const struct timespec *t) { return syscall(449, v, n, 0, t, CLOCK_MONOTONIC); }

static void *wake_third(void *arg)
{
	sleep_ms(20);
	while (futex(&words[2], WAKE | PRIVATE, 1, NULL) == 0)
		sleep_ms(1);
	return arg;
}

TEST(one_of_several_words)
{
	struct waitv v[4];
	pthread_t t;
	for (int i = 0; i < 4; i++)
		v[i] = (struct waitv){ 0, (uintptr_t)&words[i], 2 | PRIVATE, 0 };
	struct timespec end = from_now(CLOCK_MONOTONIC, 20);
	if (waitv(v, 4, &end) == -1 && errno == ENOSYS)
		SKIP("no futex_waitv");
	EQ(errno, ETIMEDOUT);
	NEED(!pthread_create(&t, NULL, wake_third, NULL));
	EQ(waitv(v, 4, NULL), 2);
	pthread_join(t, NULL);
	v[3].value = 1;
	FAILS(waitv(v, 4, NULL), EAGAIN);
	v[3].value = 0;
	v[3].flags = PRIVATE;
	FAILS(waitv(v, 4, NULL), EINVAL);
	v[3].flags = 2;
	v[3].reserved = 1;
	FAILS(waitv(v, 4, NULL), EINVAL);
	v[3].reserved = 0;
	v[3].address = 0;
	FAILS(waitv(v, 4, NULL), EFAULT);
	FAILS(waitv(v, 0, NULL), EINVAL);
	FAILS(waitv(v, 129, NULL), EINVAL);
	FAILS(waitv(NULL, 1, NULL), EINVAL);
	FAILS(syscall(449, v, 1, 1, NULL, 0), EINVAL);
	v[3].address = (uintptr_t)&words[3];
	handle(SIGALRM, nothing, 0);
	ualarm(20000, 0);
	FAILS(waitv(v, 4, NULL), EINTR);
}
