/* tests/guest/time.c - clocks go forward, sleeps are long enough, waits end. */
#include "tap.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/times.h>

TEST(clocks_never_go_back)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
		CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };

	for (unsigned c = 0; c < sizeof clocks / sizeof *clocks; c++) {
		long long last = now_ns(clocks[c]);
		for (int i = 0; i < 3000; i++) {
			long long now = now_ns(clocks[c]);
			if (now < last) {
				FAIL("clock %d went back by %lld ns", clocks[c], last - now);
				break;
			}
			last = now;
		}
	}
	struct timespec t;
	FAILS(clock_gettime(77, &t), EINVAL);
	EQ(clock_getres(CLOCK_MONOTONIC, &t), 0);
	CHECK(t.tv_sec == 0 && t.tv_nsec > 0 && t.tv_nsec <= 10000000);
}

TEST(wall_clocks_agree)
{
	struct timeval v;
	long long a = now_ns(CLOCK_REALTIME);
	NEED(!gettimeofday(&v, NULL));
	long long b = v.tv_sec * 1000000000ll + v.tv_usec * 1000ll, c = now_ns(CLOCK_REALTIME);
	CHECK(a / 1000 <= b / 1000 && b <= c);
	CHECK(llabs((long long)time(NULL) - c / 1000000000) <= 1);
	CHECK(time(NULL) > 1600000000);
}

TEST(sleeps_are_long_enough)
{
	static const long ms[] = { 0, 1, 5, 20, 100 };

	for (unsigned i = 0; i < sizeof ms / sizeof *ms; i++) {
		long long began = now_ns(CLOCK_MONOTONIC);
		sleep_ms(ms[i]);
		long long took = now_ns(CLOCK_MONOTONIC) - began;
		CHECK(took >= ms[i] * 1000000);
		CHECK(took < ms[i] * 1000000 + 500000000);
	}
	struct timespec bad = { 0, 1000000000 }, negative = { -1, 0 };
	FAILS(nanosleep(&bad, NULL), EINVAL);
	FAILS(nanosleep(&negative, NULL), EINVAL);
}

TEST(absolute_sleeps)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 50000000;
	if (t.tv_nsec >= 1000000000)
		t.tv_sec++, t.tv_nsec -= 1000000000;
	EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) >= t.tv_sec * 1000000000ll + t.tv_nsec);
	t.tv_sec = 0;						/* the past: at once; not below 0, which is invalid */
	long long began = now_ns(CLOCK_MONOTONIC);
	EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - began < 300000000);
}

TEST(waits_with_a_limit)
{
	struct timeval v = { 0, 60000 };
	long long began = now_ns(CLOCK_MONOTONIC);

	EQ(select(0, NULL, NULL, NULL, &v), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - began >= 60000000);
	began = now_ns(CLOCK_MONOTONIC);
	EQ(poll(NULL, 0, 60), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - began >= 60000000);
}

TEST(processor_time_is_that_of_work)
{
	struct rusage u;
	volatile unsigned long spin = 0;
	long long cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);

	sleep_ms(200);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 150000000);
	while (now_ns(CLOCK_MONOTONIC) - wall < 500000000)
		spin++;
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu > 50000000);
	getrusage(RUSAGE_SELF, &u);
	CHECK(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1000000 + u.ru_stime.tv_usec >= 50000);
	struct tms t;
	CHECK(times(&t) != -1);
	CHECK(t.tms_utime + t.tms_stime >= 5);
}

TEST(many_sleepers_wake_in_order)
{
	enum { N = 12 };
	int ends[2];
	unsigned char order[N];

	NEED(!pipe(ends));
	for (int i = 0; i < N; i++)
		if (!fork()) {
			unsigned char me = (unsigned char)i;
			sleep_ms(100 + 60 * ((i * 5) % N));
			_exit(write(ends[1], &me, 1) != 1);
		}
	for (int i = 0; i < N; i++) {
		EQ(read(ends[0], &order[i], 1), 1);
		EQ(order[i] * 5 % N, i);
	}
	while (wait(NULL) > 0)
		;
}
