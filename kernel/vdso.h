/*
 * kernel/vdso.h - the vDSO: code of the kernel's that programs run in user mode to read the clock (arch/time.h).
 */
#pragma once
#include "vm/space.h"

/* At boot: -ENOMEM, then there is none. */
int vdso_init(void);
/* Maps it and its page of data into a space that is being made; *at is where its ELF header lies, 0: there is none.  -ENOMEM. */
int vdso_map(struct space *, vaddr_t *at);
/* The wall clock is ahead of time_now_ns() by so much.  One caller at a time. */
void vdso_set_wall(uint64_t offset_ns);
