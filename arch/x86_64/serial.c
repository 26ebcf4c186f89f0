/*
 * arch/x86_64/serial.c - the console: the first serial port (16550 data sheet).
 *
 * Sending polls; receiving is by interrupt once console_start was called.  The port's registers are the only state; who sends is the
 * caller's affair (lib/print.c has the console's lock).
 */
#include "arch/x86_64/serial.h"
#include "arch/x86_64/irq.h"
#include "arch/console.h"
#include "arch/cpu.h"

enum { SEND_FIFO = 16 };
enum { PORT_UNKNOWN, PORT_THERE, PORT_ABSENT };

static int state;			/* set by the first console_put, before there is a second processor */

bool uart_init(uint16_t port)
{
	outb(port + UART_INTERRUPTS, 0);
	outb(port + UART_LINE, 0x80);		/* the next two set the divisor of 115200 baud */
	outb(port + UART_DATA, 1);
	outb(port + UART_INTERRUPTS, 0);
	outb(port + UART_LINE, 0x03);		/* 8 bits, no parity, one stop bit */
	outb(port + UART_FIFO, 0xc7);		/* on, empty; interrupts at 14 bytes or a pause: QEMU hands over that many at a time */
	outb(port + UART_MODEM, UART_MODEM_ON);
	return inb(port + UART_STATUS) != 0xff;
}

void console_put(const char *bytes, size_t n)
{
	if (state == PORT_UNKNOWN)
		state = uart_init(COM1) ? PORT_THERE : PORT_ABSENT;
	if (state == PORT_ABSENT)
		return;
	while (n > 0) {
		size_t chunk = n < SEND_FIFO ? n : SEND_FIFO;

		while (!(inb(COM1 + UART_STATUS) & UART_CAN_SEND))
			cpu_relax();
		for (size_t i = 0; i < chunk; i++)
			outb(COM1 + UART_DATA, (uint8_t)bytes[i]);
		bytes += chunk;
		n -= chunk;
	}
}

static void receive(const struct trap_frame *interrupted)
{
	char bytes[SEND_FIFO];
	size_t n;

	(void)interrupted;
	do {
		for (n = 0; n < sizeof bytes && uart_has_data(COM1); n++)
			bytes[n] = (char)inb(COM1 + UART_DATA);
		if (n > 0)
			console_received(bytes, n);
	} while (n == sizeof bytes);
}

void console_start(void)
{
	if (state != PORT_THERE)
		return;
	irq_handle(IRQ_COM1, receive);
	outb(COM1 + UART_INTERRUPTS, UART_RECEIVE_INTERRUPT);
}
