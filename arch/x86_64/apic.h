/* arch/x86_64/apic.h - this processor's local interrupt controller: interrupts to other processors, the timer. */
#pragma once
#include "vm/types.h"

/* Boot, before the kernel's own tables: looks for it.  Where its registers lie, a page to be mapped at its place in the direct map; 0: it has none in memory. */
paddr_t apic_find(void);
/* Is there one? */
bool apic_present(void);
/* Turns it on, and notes its number; device interrupts come through that of processor 0 alone. */
void apic_init(void);
/* Can a processor of this number be reached? */
bool apic_reaches(uint32_t id);
/* The interrupt has been taken. */
void apic_end_of_interrupt(void);

/* To the processor of this number: an interrupt; the same, whatever it has turned off; back to the state after a reset; start, at a page below 1 MiB. */
void apic_send(uint32_t id, unsigned vector);
void apic_send_nmi(uint32_t id);
void apic_send_init(uint32_t id);
void apic_send_start(uint32_t id, pfn_t page);

/* Counts down once, VECTOR_TIMER at 0; 0: stops.  How much is left. */
void apic_timer_start(uint32_t count);
uint32_t apic_timer_left(void);
/* Says on the console what the controller complains of. */
void apic_error(void);
