/* vm/vm.c - starting virtual memory: page words, frames, heap, the zero frame.  See vm.h. */
#include "vm/vm.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "arch/cpu.h"
#include "arch/mmu.h"

pfn_t zero_frame;

void vm_init(void)
{
	frame_init();
	heap_init();
	zero_frame = frame_alloc(0, page_kernel(0, USE_ZERO), FRAME_KERNEL);
	if (zero_frame == PFN_NONE)
		panic("too little memory: not one frame is free");
	page_zero(direct(zero_frame));
}
