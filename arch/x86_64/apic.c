/*
 * arch/x86_64/apic.c - the local interrupt controllers, one a processor (Intel SDM volume 3, chapter 10: APIC; 10.12: x2APIC).
 *
 * Their registers are at the same physical page for all, each processor sees its own there; firmware may have turned that into model-specific registers (x2APIC),
 * which is left as it is.  Device interrupts still come from the 8259s, by way of processor 0's line LINT0 ('virtual wire').
 *
 * mode and registers are written at boot, before there is a second processor.
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/x86.h"
#include "arch/cpu.h"
#include "lib/print.h"

enum { ID = 0x20, TASK_PRIORITY = 0x80, END = 0xb0, SPURIOUS = 0xf0, ERROR_STATUS = 0x280, COMMAND = 0x300, COMMAND_TO = 0x310, LVT_TIMER = 0x320,
	LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370, TIMER_START = 0x380, TIMER_NOW = 0x390, TIMER_DIVIDE = 0x3e0 };
enum { ENABLE = 1 << 8, MASKED = 1 << 16, DELIVER_NMI = 4 << 8, DELIVER_INIT = 5 << 8, DELIVER_START = 6 << 8, DELIVER_EXTERNAL = 7 << 8,
	PENDING = 1 << 12, ASSERT = 1 << 14, DIVIDE_BY_1 = 0xb };
enum { MSR_APIC_BASE = 0x1b, BASE_X2APIC = 1 << 10, BASE_ENABLED = 1 << 11, MSR_X2APIC = 0x800, CPUID_APIC = 1 << 9 };
enum { X2APIC_COMMAND = MSR_X2APIC + (COMMAND >> 4) };

static enum { ABSENT, IN_MEMORY, IN_MSRS } mode;
static volatile uint32_t *registers;

static uint32_t read(unsigned r)
{
	return mode == IN_MSRS ? (uint32_t)read_msr(MSR_X2APIC + (r >> 4)) : registers[r / 4];
}

static void write(unsigned r, uint32_t v)
{
	if (mode == IN_MSRS)
		write_msr(MSR_X2APIC + (r >> 4), v);
	else
		registers[r / 4] = v;
}

paddr_t apic_find(void)
{
	if (!(cpuid(1, 0).d & CPUID_APIC))
		return 0;
	uint64_t base = read_msr(MSR_APIC_BASE);
	paddr_t page = base & PTE_FRAME;

	if (!(base & BASE_ENABLED) || page >= PHYS_LIMIT)
		return 0;
	mode = base & BASE_X2APIC ? IN_MSRS : IN_MEMORY;
	registers = direct(pfn_of(page));
	return mode == IN_MEMORY ? page : 0;
}

bool apic_present(void)
{
	return mode != ABSENT;
}

void apic_init(void)
{
	if (mode == ABSENT)
		return;
	this_cpu()->apic_id = mode == IN_MSRS ? read(ID) : read(ID) >> 24;
	write(TASK_PRIORITY, 0);
	write(SPURIOUS, ENABLE | VECTOR_SPURIOUS);
	write(LVT_LINT0, DELIVER_EXTERNAL | (cpu_index() == 0 ? 0 : MASKED));
	write(LVT_LINT1, DELIVER_NMI);
	write(LVT_ERROR, VECTOR_APIC_ERROR);
	write(ERROR_STATUS, 0);
	write(TIMER_DIVIDE, DIVIDE_BY_1);
	write(LVT_TIMER, VECTOR_TIMER);
	apic_timer_start(0);
}

bool apic_reaches(uint32_t id)
{
	return mode == IN_MSRS || id < UINT8_MAX;		/* 255: all of them */
}

void apic_end_of_interrupt(void)
{
	write(END, 0);
}

/* What this processor has written to memory is seen by the one that gets the interrupt: stores to the registers' page keep their order, WRMSR to these does not. */
static void command(uint32_t id, uint32_t what)
{
	if (mode == IN_MSRS) {
		__asm__ volatile("mfence; lfence" ::: "memory");
		write_msr(X2APIC_COMMAND, (uint64_t)id << 32 | what);
		return;
	}
	unsigned long irq = cpu_irq_save();		/* a handler between the two writes would send its own to id */
	while (read(COMMAND) & PENDING)
		cpu_relax();
	write(COMMAND_TO, id << 24);
	write(COMMAND, what);
	cpu_irq_restore(irq);
}

void apic_send(uint32_t id, unsigned vector)	{ command(id, ASSERT | vector); }
void apic_send_nmi(uint32_t id)			{ command(id, ASSERT | DELIVER_NMI); }
void apic_send_init(uint32_t id)		{ command(id, ASSERT | DELIVER_INIT); }
void apic_send_start(uint32_t id, pfn_t page)	{ command(id, ASSERT | DELIVER_START | (uint32_t)page); }

void apic_timer_start(uint32_t count)
{
	write(TIMER_START, count);
}

uint32_t apic_timer_left(void)
{
	return read(TIMER_NOW);
}

void apic_error(void)
{
	write(ERROR_STATUS, 0);				/* lets the latest be read */
	kprintf("processor %u: its interrupt controller reports error %#x\n", cpu_index(), read(ERROR_STATUS));
}
