/*
 * tests/host/model/regressions.c - programs that have found bugs, as they were printed by the model test once they were short.
 *
 * Each runs on every machine before anything else does.  PROGRAM(what it found, threads, KiB of memory, pages of the window, policy, steps).
 */
#include "regressions.h"
#include "vm/fault.h"
#include "vm/mmap.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define PROGRAM(found_, threads_, kib_, window_, policy_, ...) { .threads = (threads_), .kib = (kib_), .window = (window_), .policy = (policy_), .found = (found_), \
	.nsteps = sizeof((struct step[]){ __VA_ARGS__ }) / sizeof(struct step), .step = (struct step[]){ __VA_ARGS__ } }

const struct program regressions[] = {
	PROGRAM("populating below a mapping that grows down made it grow", 1, 512, 160, 0,
		{ OP_MADVISE, 0, { 0x22c000, 0x1000, MADV_POPULATE_WRITE } },
	),
	PROGRAM("a huge page that cannot be mapped after all: the entry of the zero frame is gone already", 1, 1024, 160, HUGE_ALWAYS,
		{ OP_MMAP, 0, { 0, 0x10000, 2, 0x12 } },
		{ OP_SWEEP, 0, { 0, 1 } },
		{ OP_TOUCH, 0, { 0, 1 }, .fail = 2 },
	),
	PROGRAM("msync of the first part of a mapping never came to an end", 1, 512, 160, 0,
		{ OP_MMAP, 0, { 0, 0x3000, VM_READ | VM_WRITE, MAP_SHARED | MAP_FIXED, 3 } },
		{ OP_MSYNC, 0, { 0, 0x1000 } },
	),
	PROGRAM("advice for several regions was followed for the first when a region for splitting the last was refused", 3, 8192, 2048, 0,
		{ OP_MMAP, 0, { 0, 0x1800, 0, 0x12 } },
		{ OP_MMAP, 0, { 0x3000, 0x1800, 0, 0x12 } },
		{ OP_MADVISE, 0, { 0x1000, 0x3000, MADV_WIPEONFORK }, .fail = 2 },
	),
};
const unsigned nregressions = sizeof regressions / sizeof *regressions;
