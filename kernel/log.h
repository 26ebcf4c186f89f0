/* kernel/log.h - the kernel's log: what kprintf has said last, for dmesg. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LOG_SIZE = 16384 };

/* log_append is in lib/print.h: lines get their level and time in front, as Linux shows them. */

/* Positions count the bytes ever written.  What is there: [start, end). */
struct log_range { uint64_t start, end; };
struct log_range log_range(void);
/* Copies up to n bytes from position `from` on (what is gone already is passed over); returns how many, and moves `from` behind them. */
size_t log_read(uint64_t *from, char *to, size_t n);
