/*
 * arch/x86_64/boot.c - from boot.asm to kernel_main.
 */
#include "arch/boot.h"
#include "arch/console.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/cpu_features.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/multiboot.h"
#include "arch/x86_64/others.h"
#include "arch/x86_64/traps.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/physmap.h"

extern char kernel_image_start[], kernel_image_end[];
void arch_start(paddr_t info, paddr_t image) __attribute__((noreturn));

static struct boot_info boot;
static char cmdline[4096];

/* The loader's command line, and what the host adds to it. */
static void complete_cmdline(void)
{
	size_t n = strnlen(boot.cmdline, sizeof cmdline - 2);
	ssize more;

	memcpy(cmdline, boot.cmdline, n);
	cmdline[n++] = ' ';
	more = host_blob_read("cmdline", 0, cmdline + n, sizeof cmdline - 1 - n);
	cmdline[more > 0 ? n + (size_t)more : n - 1] = '\0';
	boot.cmdline = cmdline;
}

/* On the boot stack, interrupts off; info and image: where the loader's information and the kernel lie in RAM. */
void arch_start(paddr_t info, paddr_t image)
{
	const void *loader_info = (const void *)(DIRECT_BASE + info);
	uint32_t info_size;

	descriptors_init(&arch_cpus[0]);
	cpu_features_init();
	smap_enable();
	boot.kernel_start = image;
	boot.kernel_end = image + (size_t)(kernel_image_end - kernel_image_start);
	memcpy(&info_size, loader_info, sizeof info_size);
	const char *refusal = multiboot_parse(loader_info, info_size, cpu_features.phys_limit, &boot);
	if (refusal) {
		kprintf("faultline: cannot start: %s\n", refusal);
		machine_end(MACHINE_PANIC);
	}
	paddr_t registers = apic_find();
	if (registers)
		physmap_remove(registers, registers + PAGE_SIZE);	/* whatever the memory map says */
	others_find();
	boot_map_init(&boot, registers);
	complete_cmdline();
	kernel_main(&boot);
}

void arch_init(void)
{
	if (!exception_stacks_make(&arch_cpus[0]))
		panic("too little memory for the exception stacks");
	irq_init();
	apic_init();
}
