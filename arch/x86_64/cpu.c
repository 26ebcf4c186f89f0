/*
 * arch/x86_64/cpu.c - the processor: its features, randomness, idling.
 */
#include "arch/cpu.h"
#include "arch/thread.h"
#include "lib/string.h"
#include "arch/x86_64/cpu_features.h"

struct cpu_features cpu_features;
struct arch_cpu arch_cpus[CPUS_MAX];

enum { XSTATE_X87_SSE = 3, XSTATE_AVX = 4, XSTATE_AVX512 = 0xe0 };

/* Which extended state is saved: x87 and SSE, AVX where there is XSAVE for it. */
static uint64_t find_xfeatures(bool has_avx)
{
	uint64_t features = XSTATE_X87_SSE;
	uint32_t offered = cpu_features.xsave ? cpuid(13, 0).a : 0;

	if (has_avx && (offered & XSTATE_AVX))
		features |= XSTATE_AVX;
	if ((features & XSTATE_AVX) && (offered & XSTATE_AVX512) == XSTATE_AVX512)
		features |= XSTATE_AVX512;		/* all of it or nothing */
	return features;
}

static void find_features(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t most = cpuid(0, 0).a, most_extended = cpuid(0x80000000, 0).a;
	struct cpuid basic = cpuid(1, 0), more = { 0 };

	if (most >= 7)
		more = cpuid(7, 0);
	f->pge = basic.d >> 13 & 1;
	f->xsave = most >= 13 && (basic.c >> 26 & 1);
	f->rdrand = basic.c >> 30 & 1;
	f->hwcap = basic.d;
	f->fsgsbase = more.b & 1;
	f->smep = more.b >> 7 & 1;
	f->smap = more.b >> 20 & 1;
	f->umip = more.c >> 2 & 1;
	f->pages_1g = cpuid(0x80000001, 0).d >> 26 & 1;
	unsigned bits = most_extended >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;
	f->phys_limit = bits < 45 ? (paddr_t)1 << bits : PHYS_LIMIT;
	f->xfeatures = find_xfeatures(basic.c >> 28 & 1);
}

void cpu_features_on(void)
{
	const struct cpu_features *f = &cpu_features;

	write_cr0((read_cr0() | CR0_MP | CR0_NE | CR0_WP | CR0_AM) & ~(uint64_t)(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->pge ? CR4_PGE : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0)
		| (f->umip ? CR4_UMIP : 0) | (f->fsgsbase ? CR4_FSGSBASE : 0) | (f->xsave ? CR4_OSXSAVE : 0));
	if (f->xsave)
		__asm__ volatile("xsetbv" :: "c"(0), "a"((uint32_t)f->xfeatures), "d"(0));
	__asm__ volatile("fninit");
}

/* How large an area is, and what may be in it: only a processor with all of it on can tell. */
static void measure_extended_state(void)
{
	struct cpu_features *f = &cpu_features;
	static struct { uint8_t bytes[512]; } image __attribute__((aligned(16)));

	__asm__ volatile("fxsave %0" : "=m"(image));
	memcpy(&f->mxcsr_mask, &image.bytes[28], sizeof f->mxcsr_mask);
	if (!f->mxcsr_mask)
		f->mxcsr_mask = 0xffbf;			/* the default, says the SDM (volume 1, 11.6.6) */
	f->xstate_size = f->xsave ? cpuid(13, 0).b : sizeof image;
}

void cpu_features_init(void)
{
	find_features();
	cpu_features_on();
	measure_extended_state();
}

void cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");		/* sti takes effect after the next instruction: no interrupt falls between */
}

static bool rdrand(uint64_t *v)
{
	bool ok = false;

	for (int tries = 0; cpu_features.rdrand && !ok && tries < 10; tries++)
		__asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014): spreads a little entropy over all bits. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void cpu_random(void *to, size_t n)
{
	static uint64_t state;		/* atomic: no two calls have the same */
	uint8_t *out = to;

	while (n > 0) {
		uint64_t v = 0;
		size_t part = n < sizeof v ? n : sizeof v;

		rdrand(&v);
		v ^= mix(__atomic_add_fetch(&state, mix(cpu_cycles()) + 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED));
		memcpy(out, &v, part);
		out += part;
		n -= part;
	}
}

unsigned long arch_hwcap(void)
{
	return cpu_features.hwcap;
}

unsigned long arch_hwcap2(void)
{
	enum { HWCAP2_FSGSBASE = 2 };
	return cpu_features.fsgsbase ? HWCAP2_FSGSBASE : 0;
}

const char *arch_platform(void)
{
	return "x86_64";
}
