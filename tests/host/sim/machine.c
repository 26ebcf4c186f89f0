/*
 * tests/host/sim/machine.c - memory of the simulated machine, its start, and what the kernel's upper parts give to vm/: log and panic.
 *
 * The linker hands calls of the frame allocator's interface to the __wrap_ functions here, which keep book of what is in use, fill
 * freed frames with a pattern, look whether it is still there when the frame is handed out again, and ask the TLBs whether they hold it.
 */
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "thread.h"
#include "lib/print.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/physmap.h"
#include "vm/vm.h"

/* Log, panic, processor. */

static char said[16384];			/* what the log got since the last sim_said; what does not fit is not kept */

void kprintf(const char *format, ...)
{
	size_t n = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + n, sizeof said - n, format, args);
	va_end(args);
	fprintf(stderr, "# %s", said + n);
}

bool sim_said(const char *text)
{
	bool found = strstr(said, text);

	said[0] = 0;
	return found;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# panic: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	__sanitizer_print_stack_trace();
	abort();
}

uint64_t cpu_cycles(void)
{
	static uint64_t now;
	return __atomic_add_fetch(&now, 1, __ATOMIC_RELAXED);
}

unsigned cpu_index(void) { return sim_current->cpu; }
bool cpu_irq_enabled(void) { return !sim_current->irq_off; }

bool sim_irq_set(bool off)
{
	bool was = sim_current->irq_off;

	sim_current->irq_off = off;
	return was;
}

void page_zero(void *page)
{
	size_t n = PAGE_SIZE;
	__asm__ volatile("rep stosb" : "+D"(page), "+c"(n) : "a"(0) : "memory");
}

void page_copy(void *to, const void *from)
{
	size_t n = PAGE_SIZE;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

void cpu_random(void *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)(cpu_cycles() * 2654435761u >> 13);
}

/* Frames. */

enum frame_state { FRAME_BOOT, FRAME_FREED, FRAME_IN_USE };
enum { FREED_BYTE = 0xdb, FRESH_BYTE = 0xa5, LINK_BYTES = 64 };

static int memory;			/* the memfd */
static uint8_t *frame_state;		/* by frame: enum frame_state; BOOT: not freed or handed out since the start */

pfn_t __real_frame_alloc(unsigned order, page_word, enum frame_need);
pfn_t __real_frame_alloc_zone(unsigned order, page_word, enum zone_id);
pfn_t __real_frame_alloc_anon_zeroed(void);
pfn_t __real_frame_alloc_table(void);
void __real_frame_free(pfn_t, unsigned order);
void __real_frame_free_all(const pfn_t *, unsigned n);
pfn_t __wrap_frame_alloc(unsigned order, page_word, enum frame_need);
pfn_t __wrap_frame_alloc_zone(unsigned order, page_word, enum zone_id);
pfn_t __wrap_frame_alloc_anon_zeroed(void);
pfn_t __wrap_frame_alloc_table(void);
void __wrap_frame_free(pfn_t, unsigned order);
void __wrap_frame_free_all(const pfn_t *, unsigned n);

bool sim_frame_in_use(pfn_t pfn)
{
	return __atomic_load_n(&frame_state[pfn], __ATOMIC_RELAXED) == FRAME_IN_USE || page_type(page_word_of(pfn)) == PAGE_RECORD;
}

enum contents { CONTENTS_ANY, CONTENTS_ZERO };
unsigned long sim_alloc_failures;

/* All bytes from `from` on are this one: each is the same as the one before it. */
static bool filled(const uint8_t *bytes, size_t from, uint8_t byte)
{
	return bytes[from] == byte && memcmp(bytes + from, bytes + from + 1, PAGE_SIZE - from - 1) == 0;
}

/* The allocator cleared the frame already where it should be zero: what the freed one held can be looked at otherwise only. */
static pfn_t handed_out(pfn_t pfn, unsigned order, enum contents contents)
{
	sim_point();
	if (pfn == PFN_NONE && order < MMU_HUGE_ORDER)			/* without a huge page it goes on */
		__atomic_fetch_add(&sim_alloc_failures, 1, __ATOMIC_RELAXED);
	sim_tlb_speculate();
	for (pfn_t p = pfn; pfn != PFN_NONE && p < pfn + ((pfn_t)1 << order); p++) {
		uint8_t *bytes = direct(p), before = __atomic_exchange_n(&frame_state[p], FRAME_IN_USE, __ATOMIC_RELAXED);
		if (before == FRAME_IN_USE)
			panic("frame %lx is handed out twice", p);
		if (sim_tlb_holds(p))
			panic("frame %lx is handed out while a TLB holds it", p);
		if (contents == CONTENTS_ANY && before == FRAME_FREED && !filled(bytes, LINK_BYTES, FREED_BYTE))
			panic("frame %lx was written after it was freed", p);
		if (contents == CONTENTS_ZERO && !filled(bytes, 0, 0))
			panic("frame %lx is not zeroed", p);
		if (contents == CONTENTS_ANY)
			memset(bytes, FRESH_BYTE, PAGE_SIZE);
	}
	return pfn;
}

pfn_t __wrap_frame_alloc(unsigned order, page_word word, enum frame_need need)
{
	return handed_out(__real_frame_alloc(order, word, need), order, CONTENTS_ANY);
}

pfn_t __wrap_frame_alloc_zone(unsigned order, page_word word, enum zone_id highest)
{
	return handed_out(__real_frame_alloc_zone(order, word, highest), order, CONTENTS_ANY);
}

pfn_t __wrap_frame_alloc_anon_zeroed(void)
{
	return handed_out(__real_frame_alloc_anon_zeroed(), 0, CONTENTS_ZERO);
}

pfn_t __wrap_frame_alloc_table(void)
{
	return handed_out(__real_frame_alloc_table(), 0, CONTENTS_ZERO);
}

static void given_back(pfn_t pfn, unsigned order)
{
	sim_point();
	for (pfn_t p = pfn; p < pfn + ((pfn_t)1 << order); p++) {
		if (__atomic_exchange_n(&frame_state[p], FRAME_FREED, __ATOMIC_RELAXED) == FRAME_FREED)
			panic("frame %lx is freed twice", p);
		if (sim_tlb_holds(p)) {
			sim_tlb_tell(p);
			panic("frame %lx is freed while a TLB holds it", p);
		}
		memset(direct(p), FREED_BYTE, PAGE_SIZE);
	}
}

void __wrap_frame_free(pfn_t pfn, unsigned order)
{
	given_back(pfn, order);
	__real_frame_free(pfn, order);
}

void __wrap_frame_free_all(const pfn_t *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		given_back(frames[i], 0);
	__real_frame_free_all(frames, n);
}

/* The host's address space. */

static void reserve_area(vaddr_t start, size_t size)
{
	void *p = mmap((void *)start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)start)
		panic("host: no room for a simulated area at %lx", start);
}

void sim_host_map(vaddr_t va, pfn_t pfn, unsigned prot)
{
	int host_prot = (prot & VM_READ ? PROT_READ : 0) | (prot & VM_WRITE ? PROT_WRITE : 0);

	if (mmap((void *)va, PAGE_SIZE, host_prot, MAP_SHARED | MAP_FIXED, memory, (off_t)paddr_of(pfn)) != (void *)va)
		panic("host: mmap of a frame failed");
}

void sim_host_unmap(vaddr_t va)
{
	if (mmap((void *)va, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != (void *)va)
		panic("host: munmap of a frame failed");
}

/* The page words' place is mapped in the host alone: no tables. */

size_t mmu_boot_table_bytes;

void mmu_boot_map(vaddr_t va, size_t npages)
{
	for (size_t i = 0; i < npages; i++) {
		pfn_t pfn = boot_alloc(1);
		if (pfn == PFN_NONE)
			panic("simulated RAM is too small for its page words");
		page_zero(direct(pfn));
		sim_host_map(va + (i << PAGE_SHIFT), pfn, VM_READ | VM_WRITE);
	}
}

/* The kernel's own page faults: lazy ranges; others end the test, or the probe of sim_kernel_faults. */

static sigjmp_buf *probe;

static void host_fault(int signo, siginfo_t *info, void *context)
{
	enum { X86_ERROR_WRITE = 2 };
	bool write = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & X86_ERROR_WRITE;
	vaddr_t addr = (vaddr_t)info->si_addr;

	if (addr >= KSPACE_START && addr < KSPACE_END && vm_fault_kernel(addr, write ? FAULT_WRITE : FAULT_READ))
		return;
	if (probe)
		siglongjmp(*probe, 1);
	panic("signal %d: %s at %lx", signo, write ? "write" : "read", addr);
}

bool sim_kernel_faults(volatile uint8_t *at, enum fault_access access)
{
	sigjmp_buf here;
	volatile bool faults = true;

	probe = &here;
	if (!sigsetjmp(here, 1)) {
		if (access == FAULT_WRITE)
			*at = *at;
		else
			(void)*at;
		faults = false;
	}
	probe = NULL;
	return faults;
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = host_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* The start. */

static void map_ram(const struct sim_range *r)
{
	size_t size = (r->end - r->start) & ~PAGE_MASK;

	if (mmap(direct(pfn_of(r->start)), size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, (off_t)r->start) == MAP_FAILED)
		panic("host: mmap of simulated RAM failed");
}

void sim_machine(const struct sim_config *config)
{
	paddr_t highest = 0;

	catch_faults();
	reserve_area(SIM_DIRECT, (size_t)SIM_MAX_PFN << PAGE_SHIFT);
	reserve_area(PAGE_WORDS, SIM_MAX_PFN * sizeof(page_word));
	reserve_area(KSPACE_START, KSPACE_END - KSPACE_START);
	frame_state = mmap(NULL, SIM_MAX_PFN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memory = memfd_create("simulated RAM", MFD_CLOEXEC);
	for (const struct sim_range *r = config->ram; r < config->ram + SIM_RANGES && r->end; r++)
		if (r->end > highest)
			highest = r->end;
	if (memory < 0 || frame_state == MAP_FAILED || ftruncate(memory, (off_t)highest))
		panic("host: no simulated RAM");
	physmap_reset();
	for (const struct sim_range *r = config->ram; r < config->ram + SIM_RANGES && r->end; r++) {
		map_ram(r);
		physmap_usable(r->start, r->end);
	}
	physmap_reserve(config->image.start, config->image.end);
	sim_mmu_start();
}

size_t sim_limits[3] = { SIZE_MAX, SIZE_MAX, SIZE_MAX };
bool sim_privileged = true;
size_t vm_limit(enum vm_limit which) { return sim_limits[which]; }
bool vm_privileged(void) { return sim_privileged; }

/* Memory is so small that most tests promise more than there is. */
void sim_boot_config(const struct sim_config *config)
{
	overcommit.mode = OVERCOMMIT_ALWAYS;
	sim_machine(config);
	vm_init();
}

void sim_boot(size_t size)
{
	sim_boot_config(&(struct sim_config){ .ram = { { 0, size } } });
}
