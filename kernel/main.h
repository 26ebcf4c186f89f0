/* kernel/main.h - what the start of the kernel leaves for others to know. */
#pragma once
#include "vm/types.h"

extern size_t image_frames;			/* frames that the boot image lies in; set once, before the first process */
