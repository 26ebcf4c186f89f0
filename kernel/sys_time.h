/*
 * kernel/sys_time.h - times as programs give them and get them.
 *
 * A span that does not fit is cut to 'for ever' (about 292 years), as Linux does.
 */
#pragma once
#include "fs/vnode.h"
#include "kernel/clock.h"

#define FOREVER		((uint64_t)INT64_MAX)
enum { TIMER_ABSTIME = 1 };

struct itimerspec64 { struct timespec64 interval, value; };

static inline struct timespec64 timespec_of(uint64_t ns)
{
	return (struct timespec64){ (int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND) };
}

static inline bool timespec_valid(const struct timespec64 *t)
{
	return t->sec >= 0 && t->nsec >= 0 && (uint64_t)t->nsec < NS_PER_SECOND;
}

static inline uint64_t ns_of_timespec(const struct timespec64 *t)
{
	if ((uint64_t)t->sec >= FOREVER / NS_PER_SECOND)
		return FOREVER;
	return (uint64_t)t->sec * NS_PER_SECOND + (uint64_t)t->nsec;
}

static inline uint64_t time_add(uint64_t now_ns, uint64_t ns)
{
	return ns >= FOREVER - now_ns ? FOREVER : now_ns + ns;
}

/* A timer that was due at at_ns, and each interval_ns (0: never) after: how often up to now. */
static inline uint64_t times_due(uint64_t at_ns, uint64_t interval_ns, uint64_t now_ns)
{
	return now_ns < at_ns ? 0 : 1 + (interval_ns ? (now_ns - at_ns) / interval_ns : 0);
}
