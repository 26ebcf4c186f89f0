/*
 * arch/x86_64/vdso/vdso.c - the vDSO: code that runs in user mode and answers there what a call would answer (Linux's vdso(7)).
 *
 * It is a shared object of its own that the kernel maps into each process.  Its data lies in the page before it; the kernel writes that with `seq` odd, and who sees it change begins anew.
 * What it does not know it asks the kernel.  A pointer that leads nowhere faults here, in the program.
 */
#include "arch/x86_64/vdso/data.h"

#define EXPORT		__attribute__((visibility("default")))
#define ALIAS(of)	EXPORT __attribute__((weak, alias(#of)))

enum { REALTIME, MONOTONIC, MONOTONIC_RAW = 4, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI = 11 };
enum { CALL_GETTIMEOFDAY = 96, CALL_TIME = 201, CALL_CLOCK_GETTIME = 228, CALL_CLOCK_GETRES = 229 };
enum { NS_PER_SECOND = 1000000000, NS_PER_US = 1000 };

struct spec { int64_t sec, nsec; };
struct val { int64_t sec, usec; };
struct zone { int32_t minutes_west, dst; };

extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));		/* vdso.ld */

int __vdso_clock_gettime(int clock, struct spec *);
int __vdso_clock_getres(int clock, struct spec *);
int __vdso_gettimeofday(struct val *, struct zone *);
int64_t __vdso_time(int64_t *);
int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
ALIAS(__vdso_clock_gettime) int clock_gettime(int, struct spec *);
ALIAS(__vdso_clock_getres) int clock_getres(int, struct spec *);
ALIAS(__vdso_gettimeofday) int gettimeofday(struct val *, struct zone *);
ALIAS(__vdso_time) int64_t time(int64_t *);
ALIAS(__vdso_getcpu) int getcpu(unsigned *, unsigned *, void *);

static int64_t call(int64_t number, int64_t a, int64_t b)
{
	int64_t result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

/* Not before what comes before it. */
static uint64_t counter(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
	return (uint64_t)high << 32 | low;
}

/* What a clock is ahead of the time since boot, in the page. */
enum kind { IS_SPAN, IS_WALL, IS_TAI, IS_UNKNOWN };

/* 0: the kernel is to be asked. */
static int now(enum kind kind, uint64_t *ns)
{
	const struct vdso_data *d = &vdso_data;
	uint32_t seq;
	int known;

	do {
		while ((seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE)) & 1)
			__asm__ volatile("pause");
		known = d->clock == VDSO_COUNTER;
		*ns = (uint64_t)((unsigned __int128)(counter() - d->start_cycles) * d->ns_per_cycle >> 32);
		if (kind != IS_SPAN)
			*ns += d->wall_ns;
		if (kind == IS_TAI)
			*ns += d->tai_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&d->seq, __ATOMIC_RELAXED) != seq);
	return known;
}

static enum kind kind_of(int clock)
{
	switch (clock) {
	case REALTIME: case REALTIME_COARSE:
		return IS_WALL;
	case TAI:
		return IS_TAI;
	case MONOTONIC: case MONOTONIC_RAW: case MONOTONIC_COARSE: case BOOTTIME:
		return IS_SPAN;
	default:
		return IS_UNKNOWN;
	}
}

EXPORT int __vdso_clock_gettime(int clock, struct spec *t)
{
	enum kind kind = kind_of(clock);
	uint64_t ns;

	if (kind == IS_UNKNOWN || !now(kind, &ns))
		return (int)call(CALL_CLOCK_GETTIME, clock, (int64_t)t);
	t->sec = (int64_t)(ns / NS_PER_SECOND);
	t->nsec = (int64_t)(ns % NS_PER_SECOND);
	return 0;
}

EXPORT int __vdso_clock_getres(int clock, struct spec *t)
{
	if (kind_of(clock) == IS_UNKNOWN)
		return (int)call(CALL_CLOCK_GETRES, clock, (int64_t)t);
	if (t) {
		t->sec = 0;
		t->nsec = clock == REALTIME_COARSE || clock == MONOTONIC_COARSE ? (int64_t)vdso_data.tick_ns : 1;
	}
	return 0;
}

EXPORT int __vdso_gettimeofday(struct val *t, struct zone *z)
{
	uint64_t ns;

	if (!now(IS_WALL, &ns))
		return (int)call(CALL_GETTIMEOFDAY, (int64_t)t, (int64_t)z);
	if (t) {
		t->sec = (int64_t)(ns / NS_PER_SECOND);
		t->usec = (int64_t)(ns % NS_PER_SECOND / NS_PER_US);
	}
	if (z) {
		z->minutes_west = vdso_data.minutes_west;
		z->dst = vdso_data.dst;
	}
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t)
{
	uint64_t ns;

	if (!now(IS_WALL, &ns))
		return call(CALL_TIME, (int64_t)t, 0);
	int64_t seconds = (int64_t)(ns / NS_PER_SECOND);
	if (t)
		*t = seconds;
	return seconds;
}

EXPORT int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	unsigned number;

	(void)unused;
	__asm__ volatile("lsl %1, %0" : "=r"(number) : "r"(CPU_NUMBER_SELECTOR));
	if (cpu)
		*cpu = number;
	if (node)
		*node = 0;
	return 0;
}
