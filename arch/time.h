/* arch/time.h - contract: clocks and the tick. */
#pragma once
#include "vm/types.h"

enum { TICK_HZ = 100 };

/* Starts the periodic tick: kernel_tick() below is called TICK_HZ times a second. */
void time_init(void);
/* Nanoseconds since boot; monotonic; any context.  Under an instruction-counting emulator one instruction is one nanosecond. */
uint64_t time_now_ns(void);
/* Wall clock at boot, seconds since 1970-01-01 UTC, from the battery clock; 0 if there is none. */
uint64_t time_boot_wallclock(void);
/* Frequency of cpu_cycles(), kHz. */
uint64_t time_cycles_khz(void);

/* Upcall, interrupt context: a tick has passed; user says whether it interrupted user mode. */
enum tick_mode { TICK_KERNEL, TICK_USER };
void kernel_tick(enum tick_mode);
