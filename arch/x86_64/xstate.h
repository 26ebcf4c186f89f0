/*
 * arch/x86_64/xstate.h - extended register state: x87, SSE, AVX.  (Intel SDM volume 1, chapter 13: XSAVE; standard form.)
 *
 * The kernel itself does not use these registers, so they are the running thread's until the next switch.
 */
#pragma once
#include "arch/x86_64/cpu_features.h"

/* The front of an area: FXSAVE's format, and the XSAVE header behind it. */
struct xstate {
	uint16_t control, status, tag, opcode;
	uint64_t ip, data;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[432];			/* 8 of x87, 16 of SSE, and what is reserved */
	uint8_t software[48];			/* the processor leaves these alone: signal frames describe themselves here */
	uint64_t features, compaction, reserved[6];	/* XSAVE header; not there in an FXSAVE area */
};
_Static_assert(sizeof(struct xstate) == 576, "512 bytes of FXSAVE, 64 of header");
enum { FXSAVE_SIZE = 512, MXCSR_DEFAULT = 0x1f80, X87_CONTROL_DEFAULT = 0x37f };
/* The largest area: all of AVX-512. */
enum { XSTATE_MAX = 2696 };

static inline void xstate_save(void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" :: "r"(area), "a"((uint32_t)cpu_features.xfeatures), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
}

static inline void xstate_load(const void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" :: "r"(area), "a"((uint32_t)cpu_features.xfeatures), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" :: "r"(area) : "memory");
}

/* Makes the area what a fresh program has. */
void xstate_reset(void *area);
/* Linux's software bytes: what of the area there is, in signal frames and register sets. */
struct xstate_software {
	uint32_t magic1, extended_size;		/* size of all, with magic number 2 */
	uint64_t features;
	uint32_t xstate_size, padding[7];
};
enum { XSTATE_MAGIC = 0x46505853 };
/* Would the processor take it?  size: how much of the area there is; what is missing becomes what it is after a start. */
bool xstate_sane(struct xstate *, size_t size);
