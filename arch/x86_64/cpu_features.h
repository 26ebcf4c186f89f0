/* arch/x86_64/cpu_features.h - control registers, MSRs, and what this processor can do (Intel SDM volumes 2A, 3A 2.5, 4). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CR4_PGE		(1ul << 7)
#define CR4_OSFXSR	(1ul << 9)
#define CR4_OSXMMEXCPT	(1ul << 10)
#define CR4_UMIP	(1ul << 11)
#define CR4_OSXSAVE	(1ul << 18)
#define CR4_SMEP	(1ul << 20)
#define CR4_SMAP	(1ul << 21)

enum { MSR_EFER = 0xc0000080u, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_FS_BASE = 0xc0000100u, MSR_GS_BASE, MSR_KERNEL_GS_BASE };

/* Set once at boot. */
struct cpu_features {
	bool smep, smap, umip, pge, pages_1g, xsave, rdrand;
	uint64_t xfeatures;		/* XCR0: extended state that is saved */
	uint32_t xstate_size;		/* bytes of an XSAVE (or FXSAVE) area */
	uint32_t hwcap;			/* CPUID 1 edx, as AT_HWCAP shows it */
};
extern struct cpu_features cpu_features;

/* Finds the features and turns on those that protect or are needed; first thing in C. */
void cpu_features_init(void);

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outb(uint16_t port, uint8_t v)  { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
