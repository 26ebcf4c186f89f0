/*
 * arch/x86_64/irq.c - the two 8259 interrupt controllers (Intel 8259A data sheet).
 *
 * The second one hangs on line 2 of the first.  A line that goes away before it is acknowledged shows up as line 7 of its controller
 * without its in-service bit: such a spurious interrupt gets no end-of-interrupt.
 *
 * All lines go to processor 0.  handlers[] is written at start-up only, before the line is unmasked; mask_lock: the masks.
 */
#include "arch/x86_64/irq.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/x86.h"
#include "lib/sync.h"

enum { PIC1 = 0x20, PIC2 = 0xa0, COMMAND = 0, DATA = 1 };
enum { CASCADE = 2, LAST_LINE = 7, END_OF_INTERRUPT = 0x20, READ_IN_SERVICE = 0x0b };

static void (*handlers[IRQS])(const struct trap_frame *);
static struct spinlock mask_lock = SPINLOCK_INIT("interrupt masks", RANK_CONSOLE + 2);
static uint16_t masked = 0xffff;

static void write_masks(void)
{
	outb(PIC1 + DATA, (uint8_t)masked);
	outb(PIC2 + DATA, (uint8_t)(masked >> 8));
}

void irq_init(void)
{
	outb(PIC1 + COMMAND, 0x11);		/* initialize: edge-triggered, cascaded, four words */
	outb(PIC2 + COMMAND, 0x11);
	outb(PIC1 + DATA, VECTOR_IRQ);
	outb(PIC2 + DATA, VECTOR_IRQ + 8);
	outb(PIC1 + DATA, 1 << CASCADE);
	outb(PIC2 + DATA, CASCADE);
	outb(PIC1 + DATA, 0x01);		/* 8086 mode */
	outb(PIC2 + DATA, 0x01);
	masked = (uint16_t)~(1 << CASCADE);
	write_masks();
}

void irq_handle(unsigned irq, void (*handler)(const struct trap_frame *))
{
	unsigned long state = spin_lock_irq(&mask_lock);

	handlers[irq] = handler;
	masked &= (uint16_t)~(1u << irq);
	write_masks();
	spin_unlock_irq(&mask_lock, state);
}

static bool is_spurious(unsigned irq)
{
	uint16_t pic = irq < 8 ? PIC1 : PIC2;

	if ((irq & 7) != LAST_LINE)
		return false;
	outb(pic + COMMAND, READ_IN_SERVICE);
	return !(inb(pic + COMMAND) & 1 << LAST_LINE);
}

void irq_dispatch(unsigned irq, const struct trap_frame *f)
{
	bool spurious = is_spurious(irq);

	if (!spurious && irq >= 8)
		outb(PIC2 + COMMAND, END_OF_INTERRUPT);
	if (!spurious || irq >= 8)		/* the first controller has a real interrupt from the second in any case */
		outb(PIC1 + COMMAND, END_OF_INTERRUPT);
	if (!spurious && handlers[irq])
		handlers[irq](f);
}
