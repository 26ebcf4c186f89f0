/* arch/x86_64/cpu_features.h - what this processor can do (Intel SDM volume 2A, CPUID). */
#pragma once
#include "arch/x86_64/x86.h"

/* Set once at boot. */
struct cpu_features {
	bool smep, smap, umip, pge, fsgsbase, pages_1g, xsave, rdrand;
	uint64_t xfeatures;		/* XCR0: extended state that is saved */
	uint32_t xstate_size;		/* bytes of an XSAVE (or FXSAVE) area */
	uint32_t mxcsr_mask;		/* bits of MXCSR that may be set */
	uint32_t hwcap;			/* CPUID 1 edx, as AT_HWCAP shows it */
	paddr_t phys_limit;		/* physical addresses end here */
};
extern struct cpu_features cpu_features;

/* Finds the features and turns on those that protect or are needed; first thing in C. */
void cpu_features_init(void);
/* Turns them on, on another processor. */
void cpu_features_on(void);
