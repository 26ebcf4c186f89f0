/*
 * arch/x86_64/boot_map.c - the kernel's own page tables: the direct map, the image, and room for kernel ranges.
 *
 * Built beside the early tables of boot.asm, which map the low 4 GiB, and then switched to.  Nothing is writable and executable:
 *   image       text RX, constants R, data RW; the page below the boot stack is not mapped
 *   direct map  RAM only, RW, in the largest pages that fit; its alias of the image's text and constants is R
 * Everything is global and closed to user mode.  The module is in the direct map even where the memory map does not call it RAM; so are the registers of the
 * local interrupt controller, uncached.
 *
 * Each slot of the root that the kernel uses gets its table here, and all roots point to the same ones.
 * => boot only, one processor, no locks.
 */
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/cpu_features.h"
#include "arch/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/physmap.h"

enum { LEVELS = 4, FANOUT = 512, FIRST_KERNEL_SLOT = FANOUT / 2 };
enum { TEXT = PTE_PRESENT | PTE_GLOBAL };
#define CONSTANT	(PTE_PRESENT | PTE_GLOBAL | PTE_NX)
#define DATA		(PTE_PRESENT | PTE_GLOBAL | PTE_NX | PTE_WRITE)

extern char kernel_image_start[], kernel_text_end[], kernel_rodata_end[], kernel_image_end[];
extern char boot_tables[], boot_stack_guard[];

static paddr_t image_base;
static size_t tables_made;
size_t mmu_boot_table_bytes;

static size_t reach_of(unsigned level) { return PAGE_SIZE << (9 * level); }

static pte_t *slot(pte_t *table, vaddr_t va, unsigned level)
{
	return &table[(va >> (PAGE_SHIFT + 9 * level)) & (FANOUT - 1)];
}

static pte_t *table_at(pte_t e)
{
	return direct(pfn_of(e & PTE_FRAME));
}

static pfn_t take_frame(void)
{
	pfn_t pfn = boot_alloc(1);

	if (pfn == PFN_NONE)
		panic("too little memory to start");
	page_zero(direct(pfn));
	return pfn;
}

static pfn_t make_table(void)
{
	tables_made++;
	return take_frame();
}

/*
 * Maps what lies at pa, below end, with the largest page that fits and is not there yet, at most at level `largest`.
 * => returns up to where va is mapped now, as a physical address.
 */
static paddr_t map_step(vaddr_t va, paddr_t pa, paddr_t end, pte_t rights, unsigned largest)
{
	pte_t *table = table_at(kernel_mmu.root);

	for (unsigned level = LEVELS - 1; ; level--) {
		pte_t *e = slot(table, va, level);
		size_t reach = reach_of(level);
		bool fits = level <= largest && !(pa & (reach - 1)) && end - pa >= reach;

		if (!*e && fits)
			*e = pa | rights | (level ? PTE_LARGE : 0);
		if (level == 0 || (*e & PTE_LARGE))
			return (pa & ~(paddr_t)(reach - 1)) + reach;
		if (!*e)
			*e = paddr_of(make_table()) | PTE_PRESENT | PTE_WRITE;
		table = table_at(*e);
	}
}

static void map(vaddr_t va, paddr_t pa, paddr_t end, pte_t rights, unsigned largest)
{
	while (pa < end) {
		paddr_t next = map_step(va, pa, end, rights, largest);
		va += next - pa;
		pa = next;
	}
}

static void map_direct(pfn_t start, pfn_t end)
{
	map(DIRECT_BASE + paddr_of(start), paddr_of(start), paddr_of(end), DATA, cpu_features.pages_1g ? 2 : 1);
}

paddr_t image_paddr(const void *p)
{
	return image_base + ((vaddr_t)p - KERNEL_BASE);
}

/* One part of the image: at its own address, and its alias in the direct map. */
static void map_image(const char *from, const char *to, pte_t rights)
{
	paddr_t pa = image_paddr(from), end = image_paddr(to);

	map((vaddr_t)from, pa, end, rights, 0);
	map(DIRECT_BASE + pa, pa, end, rights | PTE_NX, 0);
}

static void map_memory(const struct boot_info *boot)
{
	size_t n;
	const struct phys_range *r = physmap_ram(&n);

	for (size_t i = 0; i < n; i++)
		map_direct(r[i].start, r[i].end);
	map_direct(pfn_of(boot->image), pfn_of(boot->image + boot->image_size + PAGE_MASK));
}

void boot_map_init(const struct boot_info *boot, paddr_t registers)
{
	image_base = boot->kernel_start;
	kernel_mmu.root = paddr_of(make_table());
	map_image(kernel_image_start, kernel_text_end, TEXT);
	map_image(kernel_text_end, kernel_rodata_end, CONSTANT);
	map_image(kernel_rodata_end, boot_stack_guard, DATA);
	map_image(boot_stack_guard + PAGE_SIZE, kernel_image_end, DATA);
	if (registers)
		map(DIRECT_BASE + registers, registers, registers + PAGE_SIZE, DATA | PTE_NOCACHE, 0);
	map_memory(boot);
	*slot(table_at(kernel_mmu.root), PAGE_WORDS, LEVELS - 1) = paddr_of(make_table()) | PTE_PRESENT | PTE_WRITE;

	mmu_activate(NULL);
	physmap_usable(image_paddr(boot_tables), image_paddr(boot_stack_guard + PAGE_SIZE));	/* the early tables, and the guard page's frame */
}

void mmu_boot_map(vaddr_t va, size_t npages)
{
	size_t before = tables_made;

	for (; npages > 0; npages--, va += PAGE_SIZE) {
		paddr_t pa = paddr_of(take_frame());
		map_step(va, pa, pa + PAGE_SIZE, DATA, 0);
	}
	mmu_boot_table_bytes += (tables_made - before) * PAGE_SIZE;
}

void kernel_slots_copy(pte_t *root)
{
	const pte_t *kernel = table_at(kernel_mmu.root);

	memcpy(&root[FIRST_KERNEL_SLOT], &kernel[FIRST_KERNEL_SLOT], (FANOUT - FIRST_KERNEL_SLOT) * sizeof *root);
}
