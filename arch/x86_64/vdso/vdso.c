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

/* Since boot, and how far the wall clock is ahead; 0: the kernel is to be asked. */
static int now(uint64_t *ns, uint64_t *wall_offset_ns)
{
	const struct vdso_data *d = &vdso_data;
	uint32_t seq;
	int known;

	do {
		while ((seq = __atomic_load_n(&d->seq, __ATOMIC_ACQUIRE)) & 1)
			__asm__ volatile("pause");
		known = d->clock == VDSO_COUNTER;
		*ns = (uint64_t)((unsigned __int128)(counter() - d->start_cycles) * d->ns_per_cycle >> 32);
		*wall_offset_ns = d->wall_offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&d->seq, __ATOMIC_RELAXED) != seq);
	return known;
}

enum { IS_UNKNOWN, IS_WALL, IS_SPAN };

static int kind_of(int clock)
{
	switch (clock) {
	case REALTIME: case REALTIME_COARSE: case TAI:
		return IS_WALL;
	case MONOTONIC: case MONOTONIC_RAW: case MONOTONIC_COARSE: case BOOTTIME:
		return IS_SPAN;
	default:
		return IS_UNKNOWN;
	}
}

EXPORT int __vdso_clock_gettime(int clock, struct spec *t)
{
	int kind = kind_of(clock);
	uint64_t ns, offset;

	if (kind == IS_UNKNOWN || !now(&ns, &offset))
		return (int)call(CALL_CLOCK_GETTIME, clock, (int64_t)t);
	if (kind == IS_WALL)
		ns += offset;
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
	uint64_t ns, offset;

	if (!now(&ns, &offset))
		return (int)call(CALL_GETTIMEOFDAY, (int64_t)t, (int64_t)z);
	ns += offset;
	if (t) {
		t->sec = (int64_t)(ns / NS_PER_SECOND);
		t->usec = (int64_t)(ns % NS_PER_SECOND / NS_PER_US);
	}
	if (z)
		z->minutes_west = z->dst = 0;
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *t)
{
	uint64_t ns, offset;

	if (!now(&ns, &offset))
		return call(CALL_TIME, (int64_t)t, 0);
	int64_t seconds = (int64_t)((ns + offset) / NS_PER_SECOND);
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
