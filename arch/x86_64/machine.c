/*
 * arch/x86_64/machine.c - the end of the machine.
 */
#include "arch/cpu.h"
#include "arch/x86_64/x86.h"

enum { KEYBOARD_COMMAND = 0x64, PULSE_RESET = 0xfe };
enum { DEBUG_EXIT = 0xf4 };				/* QEMU's isa-debug-exit: v ends it with status 2v + 1 */
enum { ACPI_PM1_CONTROL = 0x604, ACPI_SLEEP_S5 = 0x2000 };	/* where QEMU's chipsets have it */

void machine_end(enum machine_end how)
{
	cpu_irq_disable();
	if (how == MACHINE_REBOOT)
		outb(KEYBOARD_COMMAND, PULSE_RESET);
	outb(DEBUG_EXIT, how == MACHINE_PANIC ? 1 : 0);
	if (how == MACHINE_POWEROFF)
		outw(ACPI_PM1_CONTROL, ACPI_SLEEP_S5);
	for (;;)
		__asm__ volatile("hlt");
}
