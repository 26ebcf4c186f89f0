/*
 * arch/x86_64/descriptors.c - segments, the task state with its stacks, interrupt gates, and the SYSCALL registers.
 *
 * Segments and task state are per processor, the gates are the same for all.  At the top of each stack for exceptions stands whose it is: what runs on it finds
 * its processor's data by that (entry.asm).  (Intel SDM volume 3: 3.4.5 segment descriptors, 6.14.1 gates, 7.7 the 64-bit TSS; volume 2: SYSCALL.)
 */
#include "arch/x86_64/traps.h"
#include "arch/x86_64/cpu_features.h"
#include "arch/x86_64/vdso/data.h"
#include "lib/string.h"
#include "vm/kspace.h"

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, zero;
};

struct __attribute__((packed)) tss {
	uint32_t zero0;
	uint64_t stack[3];		/* by privilege level */
	uint64_t zero1;
	uint64_t ist[7];
	uint64_t zero2;
	uint16_t zero3, io_map;
};

struct __attribute__((packed)) table_register { uint16_t limit; const void *base; };

enum { GATE_KERNEL = 0x8e, GATE_USER = 0xee };		/* interrupt gate; who may use it by INT n */
enum { IST_STACKS = 4, IST_STACK_PAGES = 2, OWNER_SIZE = 16 };
static const uint8_t ist_vector[IST_STACKS] = { VECTOR_DOUBLE_FAULT, VECTOR_NMI, VECTOR_MACHINE_CHECK, VECTOR_DEBUG };

static struct gate idt[VECTORS];		/* written once, at boot */
static const uint64_t segments[] = {
	[KERNEL_CS / 8] = 0x00af9a000000ffff,
	[KERNEL_DS / 8] = 0x00cf92000000ffff,
	[USER_DS / 8] = 0x00cff2000000ffff,
	[USER_CS / 8] = 0x00affa000000ffff,
	[TSS_SELECTOR / 8] = 0, 0,			/* filled in with the address */
	[CPU_NUMBER_SELECTOR / 8] = 0x0040f00000000000,	/* data that is read, with the processor's number as its limit: for the vDSO */
};
static struct CPU_LOCAL descriptors { struct tss tss; uint64_t gdt[sizeof segments / sizeof *segments]; } descriptors[CPUS_MAX];

/* No local table: the processor would look for descriptors at whatever address it was left with. */
static void load_segments(struct arch_cpu *cpu)
{
	struct descriptors *d = &descriptors[cpu->index];
	struct table_register reg = { sizeof d->gdt - 1, d->gdt };
	vaddr_t base = (vaddr_t)&d->tss;

	d->tss.io_map = sizeof d->tss;			/* no I/O permission map */
	memcpy(d->gdt, segments, sizeof segments);
	d->gdt[TSS_SELECTOR / 8] = (sizeof d->tss - 1) | (base & 0xffffff) << 16 | (uint64_t)0x89 << 40 | (base >> 24 & 0xff) << 56;
	d->gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	d->gdt[CPU_NUMBER_SELECTOR / 8] |= cpu->index;
	__asm__ volatile("lgdt %0" :: "m"(reg));
	__asm__ volatile(
		"pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
		:: "i"(KERNEL_CS) : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs; ltr %w2; lldt %w1"
		:: "r"(KERNEL_DS), "r"(0), "r"(TSS_SELECTOR));
	write_msr(MSR_FS_BASE, 0);
	write_msr(MSR_GS_BASE, (uint64_t)cpu);
	write_msr(MSR_KERNEL_GS_BASE, 0);
}

static void make_gates(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		vaddr_t to = trap_stubs[i];
		bool user = i == VECTOR_BREAKPOINT || i == VECTOR_OVERFLOW;
		idt[i] = (struct gate){ .offset_low = (uint16_t)to, .offset_middle = (uint16_t)(to >> 16), .offset_high = (uint32_t)(to >> 32),
			.selector = KERNEL_CS, .type = user ? GATE_USER : GATE_KERNEL };
	}
	for (unsigned i = 0; i < IST_STACKS; i++)
		idt[ist_vector[i]].ist = (uint8_t)(i + 1);
}

static void load_gates(void)
{
	struct table_register reg = { sizeof idt - 1, idt };

	__asm__ volatile("lidt %0" :: "m"(reg));
}

static void enable_syscall(void)
{
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SYSCALL);
	/* SYSRET takes its selectors from 16 and 8 above the second one. */
	write_msr(MSR_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)(USER_DS - 8) << 48);
	write_msr(MSR_LSTAR, (uint64_t)syscall_entry);
	write_msr(MSR_FMASK, FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_RF);
}

/* The processor aligns the stack to 16 before it puts a frame there. */
static void set_exception_stack(struct arch_cpu *cpu, unsigned which, char *end)
{
	struct arch_cpu **owner = (struct arch_cpu **)(end - OWNER_SIZE);

	*owner = cpu;
	descriptors[cpu->index].tss.ist[which] = (uint64_t)owner;
}

void descriptors_init(struct arch_cpu *cpu)
{
	static char early_stack[PAGE_SIZE] __attribute__((aligned(16)));

	if (cpu->index == 0) {
		make_gates();
		for (unsigned i = 0; i < IST_STACKS; i++)
			set_exception_stack(cpu, i, early_stack + sizeof early_stack);
	}
	load_segments(cpu);
	load_gates();
	enable_syscall();
}

static void free_exception_stacks(struct arch_cpu *cpu, unsigned n)
{
	while (n > 0)
		kspace_free((char *)descriptors[cpu->index].tss.ist[--n] + OWNER_SIZE - IST_STACK_PAGES * PAGE_SIZE);
}

bool exception_stacks_make(struct arch_cpu *cpu)
{
	for (unsigned i = 0; i < IST_STACKS; i++) {
		char *stack = kspace_alloc(IST_STACK_PAGES, KSPACE_MAPPED);
		if (!stack) {
			free_exception_stacks(cpu, i);
			return false;
		}
		set_exception_stack(cpu, i, stack + IST_STACK_PAGES * PAGE_SIZE);
	}
	return true;
}

void exception_stacks_free(struct arch_cpu *cpu)
{
	free_exception_stacks(cpu, IST_STACKS);
}

void trap_stack_set(vaddr_t top)
{
	struct arch_cpu *cpu = this_cpu();

	descriptors[cpu->index].tss.stack[0] = top;
	cpu->kernel_stack = top;
}

void smap_enable(void)
{
	extern const struct smap_site { uint8_t *at; uint64_t last_byte; } smap_sites[], smap_sites_end[];

	for (const struct smap_site *s = smap_sites; s < smap_sites_end && cpu_features.smap; s++) {
		s->at[0] = 0x0f;
		s->at[1] = 0x01;
		s->at[2] = (uint8_t)s->last_byte;
	}
}
