/*
 * lib/print.h - formatted text.
 *
 * Conversions: %d %i %u %x %X %o %c %s %p %%, lengths hh h l ll z t, flags - 0 + space #, width and precision, both also as *.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#if __STDC_HOSTED__
#include <stdio.h>
#else
/* As C99's: at most size bytes with the final NUL; returns the length that the whole text has. */
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *to, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
#endif
/* To the kernel's log (console and log file); any context, takes only the console's lock. A line ends with \n. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
/* Bytes to the console as they are, kept apart from the lines of the log; any context. */
void console_write(const char *bytes, size_t n);
/* Upcall of kprintf with the finished text (kernel/log.c): keeps it for dmesg; any context. */
void log_append(const char *bytes, size_t n);
/* The kernel is dying: from now on kprintf takes no lock. */
void kprintf_dying(void);
