/*
 * arch/x86_64/cpuinfo.c - what /proc/cpuinfo says of a processor, in Linux's format: programs look for their instructions there.
 *
 * (Intel SDM volume 2A, CPUID; AMD64 APM volume 3, appendix E.)
 */
#include "arch/cpu.h"
#include "arch/time.h"
#include "arch/x86_64/cpu_features.h"
#include "lib/print.h"
#include "lib/string.h"

/* The names of a register's bits from 0 on, as Linux writes them; '-': none, or one that this kernel does not turn on. */
static const struct { uint32_t leaf; unsigned reg; const char *names; } feature_words[] = {
	{ 1, 3, "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ 0x80000001, 3, "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow" },
	{ 1, 2, "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt "
		"tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor" },
	{ 0x80000001, 2, "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm "
		"topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - -" },
	{ 7, 1, "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb "
		"intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl" },
	{ 7, 2, "- avx512vbmi umip - - waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg tme avx512_vpopcntdq - - - - - - - rdpid - - cldemote - "
		"movdiri movdir64b - - -" },
};

struct line { char *at, *end; };

static __attribute__((format(printf, 2, 3))) void add(struct line *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(l->at, (size_t)(l->end - l->at), format, args);
	va_end(args);
	l->at += n < l->end - l->at ? n : l->end - l->at - 1;
}

static bool has_leaf(uint32_t leaf)
{
	return cpuid(leaf & 0x80000000, 0).a >= leaf;
}

static void add_names(struct line *l, const char *names, uint32_t bits)
{
	for (; bits; bits >>= 1) {
		const char *space = strchr(names, ' ');
		size_t len = space ? (size_t)(space - names) : strlen(names);
		if (bits & 1 && names[0] != '-')
			add(l, " %.*s", (int)len, names);
		if (!space)
			break;
		names = space + 1;
	}
}

static void add_flags(struct line *l)
{
	add(l, "flags\t\t:");
	for (size_t i = 0; i < sizeof feature_words / sizeof *feature_words; i++) {
		if (!has_leaf(feature_words[i].leaf))
			continue;
		const struct cpuid r = cpuid(feature_words[i].leaf, 0);
		const uint32_t regs[4] = { r.a, r.b, r.c, r.d };
		add_names(l, feature_words[i].names, regs[feature_words[i].reg]);
	}
	add(l, "\n");
}

static void name_model(char name[49])
{
	memcpy(name, "x86-64", sizeof "x86-64");
	for (uint32_t i = 0; i < 3 && has_leaf(0x80000004); i++) {
		struct cpuid r = cpuid(0x80000002 + i, 0);
		memcpy(&name[16 * i], &r, sizeof r);
		name[16 * i + 16] = '\0';
	}
}

/* Family, model and stepping of CPUID 1: the extended parts count where the short ones have overflowed. */
static void add_version(struct line *l)
{
	const uint32_t a = cpuid(1, 0).a;
	unsigned family = a >> 8 & 15, model = a >> 4 & 15;
	char name[49];
	if (family >= 6)
		model |= a >> 12 & 0xf0;
	if (family == 15)
		family += a >> 20 & 0xff;
	name_model(name);
	add(l, "cpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", family, model, name, a & 15);
}

void cpu_describe(unsigned cpu, char *to, size_t size)
{
	struct line l = { to, to + size };
	const struct cpuid first = cpuid(0, 0);
	const uint32_t bits = has_leaf(0x80000008) ? cpuid(0x80000008, 0).a : 36, line = (cpuid(1, 0).b >> 8 & 0xff) * 8;
	const uint64_t khz = time_cycles_khz();
	uint32_t vendor[3] = { first.b, first.d, first.c };

	add(&l, "processor\t: %u\nvendor_id\t: %.12s\n", cpu, (const char *)vendor);
	add_version(&l);
	add(&l, "cpu MHz\t\t: %lu.%03lu\n", (unsigned long)(khz / 1000), (unsigned long)(khz % 1000));
	if (has_leaf(0x80000006))
		add(&l, "cache size\t: %u KB\n", cpuid(0x80000006, 0).c >> 16);
	add(&l, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\n", cpu_count, cpu, cpu_count,
		arch_cpus[cpu].apic_id, arch_cpus[cpu].apic_id);
	add(&l, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n", first.a);
	add_flags(&l);
	add(&l, "bugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: %u\naddress sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		(unsigned long)(khz / 500), (unsigned long)(khz / 5 % 100), line, line, bits & 0xff, 48);
}
