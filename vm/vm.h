/* vm/vm.h - starting virtual memory. */
#pragma once
#include "arch/boot.h"

/* Boot order, after the architecture's part: page array, buddy, heap, zero frame, kernel ranges. */
void vm_init(const struct boot_info *);
/* The shared zero frame. */
extern pfn_t zero_frame;
/* Frames that the image lies in, reserved (its pages are borrowed from there). */
extern pfn_t image_first, image_end;
