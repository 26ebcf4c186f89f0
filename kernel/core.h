/*
 * kernel/core.h - core files: what a program was when a signal ended it, for a debugger.
 */
#pragma once
#include "kernel/process.h"

struct core;

/*
 * The current process is to die by this signal, which info tells of.  If the signal is one of those, and limits, rights and the place allow it, ends all other threads and writes the file
 * `core` where the process stands: true (a part of it, where the limit or the room is smaller).
 */
bool core_dump(int signo, const struct siginfo *info);
/* The current thread exits while process->core says that another is about to write a core file: its registers go into that. */
void core_add_thread(struct thread *);
