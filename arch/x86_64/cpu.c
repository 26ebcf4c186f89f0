/*
 * arch/x86_64/cpu.c - the processor's features, randomness, idling and the end of the machine.
 */
#include "arch/cpu.h"
#include "arch/console.h"
#include "arch/time.h"
#include "lib/print.h"
#include "lib/string.h"
#include "cpu_features.h"

struct cpu_features cpu_features;

static void set_cr4(uint64_t bits)
{
	uint64_t cr4;

	__asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("movq %0, %%cr4" : : "r"(cr4 | bits) : "memory");
}

/* x87, SSE and what AVX needs; XSAVE where there is one. */
static void extended_state_init(bool has_avx)
{
	uint32_t r[4];

	set_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
	cpu_features.xstate_size = 512;
	cpu_features.xfeatures = 3;
	if (!cpu_features.xsave)
		return;
	set_cr4(CR4_OSXSAVE);
	cpuid(13, 0, r);
	uint64_t offered = (uint64_t)r[3] << 32 | r[0], wanted = 3;
	if (has_avx && (offered & 4))
		wanted |= 4;
	if ((wanted & 4) && (offered & 0xe0) == 0xe0)
		wanted |= 0xe0;			/* AVX-512: all of it or nothing */
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)wanted), "d"((uint32_t)(wanted >> 32)));
	cpuid(13, 0, r);
	cpu_features.xfeatures = wanted;
	cpu_features.xstate_size = r[1];
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t r[4], most;

	cpuid(0, 0, r);
	most = r[0];
	cpuid(1, 0, r);
	f->pge = r[3] >> 13 & 1;
	f->xsave = r[2] >> 26 & 1;
	f->rdrand = r[2] >> 30 & 1;
	f->hwcap = r[3];
	bool has_avx = r[2] >> 28 & 1;
	if (most >= 7) {
		cpuid(7, 0, r);
		f->smep = r[1] >> 7 & 1;
		f->smap = r[1] >> 20 & 1;
		f->umip = r[2] >> 2 & 1;
	}
	cpuid(0x80000001, 0, r);
	f->pages_1g = r[3] >> 26 & 1;

	set_cr4((f->pge ? CR4_PGE : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) | (f->umip ? CR4_UMIP : 0));
	extended_state_init(has_avx);
}

void cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static bool rdrand(uint64_t *v)
{
	uint8_t ok = 0;

	for (int tries = 0; cpu_features.rdrand && !ok && tries < 10; tries++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok));
	return ok;
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014): spreads a little entropy over all bits. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

void cpu_random(void *to, size_t n)
{
	static uint64_t state;		/* protected by: any value will do */
	uint8_t *out = to;

	while (n > 0) {
		uint64_t v = 0;
		size_t part = n < sizeof v ? n : sizeof v;

		rdrand(&v);
		state = mix(state + cpu_cycles() + 0x9e3779b97f4a7c15ull);
		v ^= state;
		memcpy(out, &v, part);
		out += part;
		n -= part;
	}
}

void cpu_describe(char *to, size_t size)
{
	uint32_t name[13] = { 0 }, r[4];

	cpuid(0x80000000, 0, r);
	for (unsigned i = 0; i < 3 && r[0] >= 0x80000004; i++)
		cpuid(0x80000002 + i, 0, &name[4 * i]);
	snprintf(to, size, "%s", name[0] ? (char *)name : "x86-64");
}

/* QEMU's debug-exit device first, then ACPI's power-off as QEMU's chipsets have it, then the keyboard controller's reset line. */
void machine_end(enum machine_end how)
{
	cpu_irq_disable();
	if (how == MACHINE_REBOOT)
		outb(0x64, 0xfe);
	outb(0xf4, how == MACHINE_PANIC ? 0x3f : how == MACHINE_REBOOT ? 0x01 : 0x00);
	outw(0x604, 0x2000);
	for (;;)
		__asm__ volatile("cli; hlt");
}
