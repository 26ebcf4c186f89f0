/*
 * arch/x86_64/serial.h - 16550 serial ports: registers, and the parts that console and job channels share.
 */
#pragma once
#include "arch/x86_64/x86.h"

enum { COM1 = 0x3f8, COM2 = 0x2f8, IRQ_COM1 = 4, IRQ_COM2 = 3 };
enum { UART_DATA = 0, UART_INTERRUPTS = 1, UART_FIFO = 2, UART_LINE = 3, UART_MODEM = 4, UART_STATUS = 5 };
enum { UART_RECEIVE_INTERRUPT = 1, UART_HAS_DATA = 1, UART_CAN_SEND = 0x20, UART_MODEM_ON = 0x0b /* DTR, RTS, interrupt line on */ };

/* 115200 baud, 8 bits, no parity, FIFOs on, interrupts off.  False: there is no such port. */
bool uart_init(uint16_t port);
static inline bool uart_has_data(uint16_t port) { return inb(port + UART_STATUS) & UART_HAS_DATA; }
