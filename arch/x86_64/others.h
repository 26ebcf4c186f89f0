/* arch/x86_64/others.h - the other processors: finding them (arch/cpu.h: starting them). */
#pragma once
#include "vm/types.h"

/* Boot, while the early tables map the low 4 GiB: reads the firmware's tables, and takes a frame below 1 MiB from the physical map, for the start. */
void others_find(void);
