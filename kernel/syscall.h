/*
 * kernel/syscall.h - the table of system calls: number to function, in kernel/syscall.c.
 *
 * Every function has the type long (const unsigned long args[6]) and returns a value or a negative errno.  One file a topic:
 * sys_file.c, sys_memory.c, sys_process.c, sys_signal.c, sys_time.c, sys_system.c.  kernel/syscalls.def lists them all:  SYSCALL(number, name).
 */
#pragma once
#include "vm/types.h"
#define SYSCALL(number, name) long sys_##name(const unsigned long args[6]);
#include "kernel/syscalls.def"
#undef SYSCALL

/* Internal results, never seen by user programs: the call is to be restarted by the signal code. */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };
