/*
 * kernel/vdso.h - the vDSO: code of the kernel's that programs run in user mode to read the clock (arch/time.h).
 */
#pragma once
#include "vm/space.h"

/* At boot: -ENOMEM, then there is none. */
int vdso_init(void);
/* Maps it and its page of data into a space that is being made, at the hint if it can; *at is where its ELF header lies, 0: there is none.  -ENOMEM. */
int vdso_map(struct space *, vaddr_t hint, vaddr_t *at);
/* What it knows of the clocks (arch/time.h).  One caller at a time. */
struct time_told;
void vdso_tell(const struct time_told *);
