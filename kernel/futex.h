/* kernel/futex.h - futex(2): waiting for a word of user memory to change. */
#pragma once
#include "vm/types.h"

void futex_init(void);
/* Wakes at most n of those that wait for the word at this address of the current space; how many. */
long futex_wake(vaddr_t word, unsigned n);
