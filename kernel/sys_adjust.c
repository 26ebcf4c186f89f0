/*
 * kernel/sys_adjust.c - adjtimex and clock_adjtime: what a time daemon says of the clock, and learns of it.
 *
 * The clock can be moved (ADJ_SETOFFSET), and the distance of CLOCK_TAI is what was set.  All else is kept and told as Linux does, but the clock goes on at the pace of the machine's: no
 * frequency, tick or offset changes it.
 */
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "lib/string.h"

enum adjust_mode {
	ADJ_OFFSET = 1, ADJ_FREQUENCY = 2, ADJ_MAXERROR = 4, ADJ_ESTERROR = 8, ADJ_STATUS = 0x10, ADJ_TIMECONST = 0x20, ADJ_TAI = 0x80, ADJ_SETOFFSET = 0x100,
	ADJ_MICRO = 0x1000, ADJ_NANO = 0x2000, ADJ_TICK = 0x4000, ADJ_SINGLE = 0x8000, SINGLE_READ_ONLY = 0x2000,
};
enum { STA_PLL = 1, STA_UNSYNC = 0x40, STA_NANO = 0x2000, STA_TOLD = 0xff00, TIME_ERROR = 5, TIME_OK = 0 };
enum { PPM = 65536, FREQUENCY_MOST = 500 * PPM, ERROR_MOST_USEC = 16000000, CONSTANT_MOST = 10, CONSTANT_OF_MICRO = 4, TAI_MOST = 100000, OFFSET_MOST_NS = 500000000 };
enum { TICK_LEAST_USEC = 900000 / TICK_HZ, TICK_MOST_USEC = 1100000 / TICK_HZ };

struct timex {
	uint32_t modes, pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct { int64_t sec, usec; } time;
	int64_t tick, more[8];
	int32_t tai, pad2[11];
};
_Static_assert(sizeof(struct timex) == 208, "struct timex has 208 bytes");

/* Protected by: adjust_lock; tai is read without. */
static struct mutex adjust_lock = { .rank = RANK_FILES, .name = "adjtimex" };
static struct { int64_t offset_ns, single_usec, freq, maxerror, esterror, constant, tick; int32_t status, tai; } kept = {
	.maxerror = ERROR_MOST_USEC, .esterror = ERROR_MOST_USEC, .constant = 2, .tick = 1000000 / TICK_HZ, .status = STA_UNSYNC,
};

int64_t clock_tai_ns(void)
{
	return __atomic_load_n(&kept.tai, __ATOMIC_RELAXED) * (int64_t)NS_PER_SECOND;
}

static int64_t clip(int64_t x, int64_t least, int64_t most)
{
	return x < least ? least : x > most ? most : x;
}

/* In Linux's order. */
static long check(const struct timex *t)
{
	bool root = capable(CAP_SYS_TIME);
	int64_t fraction = t->modes & ADJ_NANO ? (int64_t)NS_PER_SECOND : 1000000;

	if (t->modes & ADJ_SINGLE) {
		if (!(t->modes & ADJ_OFFSET))
			return -EINVAL;
		if (!(t->modes & SINGLE_READ_ONLY) && !root)
			return -EPERM;
	} else {
		if (t->modes && !root)
			return -EPERM;
		if (t->modes & ADJ_TICK && (t->tick < TICK_LEAST_USEC || t->tick > TICK_MOST_USEC))
			return -EINVAL;
	}
	if (t->modes & ADJ_SETOFFSET && !root)
		return -EPERM;
	return t->modes & ADJ_SETOFFSET && (t->time.usec < 0 || t->time.usec >= fraction) ? -EINVAL : 0;
}

static void keep(const struct timex *t)
{
	if (t->modes & ADJ_STATUS)
		kept.status = (kept.status & STA_TOLD) | (t->status & ~STA_TOLD);
	if (t->modes & ADJ_NANO)
		kept.status |= STA_NANO;
	if (t->modes & ADJ_MICRO)
		kept.status &= ~STA_NANO;
	if (t->modes & ADJ_FREQUENCY)
		kept.freq = clip(t->freq, -FREQUENCY_MOST, FREQUENCY_MOST);
	if (t->modes & ADJ_MAXERROR)
		kept.maxerror = clip(t->maxerror, 0, ERROR_MOST_USEC);
	if (t->modes & ADJ_ESTERROR)
		kept.esterror = clip(t->esterror, 0, ERROR_MOST_USEC);
	if (t->modes & ADJ_TIMECONST)
		kept.constant = clip(clip(t->constant, 0, CONSTANT_MOST) + (kept.status & STA_NANO ? 0 : CONSTANT_OF_MICRO), 0, CONSTANT_MOST);
	if (t->modes & ADJ_TAI && t->constant >= 0 && t->constant <= TAI_MOST) {
		__atomic_store_n(&kept.tai, (int32_t)t->constant, __ATOMIC_RELAXED);
		clock_tell();
	}
	if (t->modes & ADJ_OFFSET && kept.status & STA_PLL)
		kept.offset_ns = clip(clip(t->offset, -OFFSET_MOST_NS, OFFSET_MOST_NS) * (kept.status & STA_NANO ? 1 : 1000), -OFFSET_MOST_NS, OFFSET_MOST_NS);
	if (t->modes & ADJ_TICK)
		kept.tick = t->tick;
}

/* Moves the clock; a place before 1970 is none. */
static long move_clock(const struct timex *t)
{
	int64_t now = (int64_t)clock_realtime_ns(), to;
	int64_t fraction = t->time.usec * (t->modes & ADJ_NANO ? 1 : 1000);

	if (__builtin_mul_overflow(t->time.sec, (int64_t)NS_PER_SECOND, &to) || __builtin_add_overflow(to, fraction, &to) || __builtin_add_overflow(to, now, &to) || to < 0)
		return -EINVAL;
	clock_set_realtime((uint64_t)to);
	return 0;
}

static void tell(struct timex *t, int64_t offset)
{
	uint64_t now = clock_realtime_ns();
	bool nano = kept.status & STA_NANO;

	*t = (struct timex){
		.modes = t->modes, .offset = offset, .freq = kept.freq, .maxerror = kept.maxerror, .esterror = kept.esterror, .status = kept.status, .constant = kept.constant,
		.precision = 1, .tolerance = FREQUENCY_MOST, .time = { (int64_t)(now / NS_PER_SECOND), (int64_t)(now % NS_PER_SECOND / (nano ? 1 : 1000)) }, .tick = kept.tick, .tai = kept.tai,
	};
}

/* error: what is wrong with the clock that was asked for. */
static long adjust(vaddr_t at, long error)
{
	struct timex t;

	if (user_get(t, at))
		return -EFAULT;
	if (!error)
		error = check(&t);
	if (error)
		return error;
	mutex_lock(&adjust_lock);
	if (t.modes & ADJ_SETOFFSET)
		error = move_clock(&t);
	int64_t offset = kept.single_usec;
	if (!error && t.modes & ADJ_SINGLE && !(t.modes & SINGLE_READ_ONLY))
		kept.single_usec = t.offset;
	if (!(t.modes & ADJ_SINGLE)) {
		if (!error)
			keep(&t);
		offset = kept.offset_ns / (kept.status & STA_NANO ? 1 : 1000);
	}
	tell(&t, offset);
	mutex_unlock(&adjust_lock);
	if (error)
		return error;
	return user_put(at, t) ? -EFAULT : t.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

long sys_adjtimex(const unsigned long args[6])
{
	return adjust(args[0], 0);
}

long sys_clock_adjtime(const unsigned long args[6])
{
	int id = (int)args[0];

	return adjust(args[1], id == CLOCK_REALTIME ? 0 : id > CLOCK_TAI || id == CLOCK_TAI - 1 ? -EINVAL : -EOPNOTSUPP);
}
