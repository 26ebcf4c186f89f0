/*
 * arch/x86_64/xstate.h - extended state (x87, SSE, AVX): XSAVE areas, or FXSAVE areas where there is no XSAVE.
 *
 * An area has cpu_features.xstate_size bytes and is aligned to 64.  (Intel SDM volume 1, chapter 13.)
 */
#pragma once
#include "arch/x86_64/cpu_features.h"

enum { XSTATE_ALIGN = 64, XSTATE_LEGACY_SIZE = 512, XSTATE_SIZE_MAX = 2688 /* with AVX-512 */, XSTATE_LEGACY_COMPONENTS = 3, XSTATE_MXCSR = 24, XSTATE_SOFTWARE = 464 };

/* After the 512 bytes of FXSAVE. */
struct xstate_header { uint64_t present, compacted, reserved[6]; };

static inline void xstate_save(void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" :: "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
}

static inline void xstate_load(const void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" :: "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" :: "r"(area) : "memory");
}

/* What a program starts with. */
void xstate_fresh(void *area);
/* Makes an area that came from a user safe to load: false if it is not what XSAVE writes. */
bool xstate_check(void *area);
