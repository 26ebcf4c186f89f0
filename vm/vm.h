/* vm/vm.h - starting virtual memory. */
#pragma once
#include "vm/types.h"

/* After the architecture has filled the physical map and built the direct map: page words, frames, heap, zero frame. */
void vm_init(void);

/* The frame of zeros that first reads of private anonymous memory share, read-only; kind PAGE_KERNEL, so it is not counted. */
extern pfn_t zero_frame;
