/*
 * tests/host/model/program.h - a program for the model test: operations with plain numbers, data and not code.
 *
 * It comes from a seed, from the bytes of a fuzzer, or is written down (regressions.c).  Every step means something in every state: numbers are taken
 * into their ranges, a process or an object that is not there makes the step nothing.  So steps can be left out, which is how a failure is made short.
 *
 * Addresses are bytes from the start of the arena (USER_MIN); rights, flags and advice are the system's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * name, arguments.  file: 0 and above, see files.h (mmap: 0 is anonymous, 1 the first file).  value: what bytes are written, made from it.
 * access: enum fault_access.
 */
#define PROGRAM_OPS(op) \
	op(MMAP, "at, length, rights, flags, file, page of file") \
	op(MUNMAP, "at, length") \
	op(MPROTECT, "at, length, rights") \
	op(MREMAP, "at, old length, new length, flags, to") \
	op(MADVISE, "at, length, advice") \
	op(MINCORE, "at, pages") \
	op(MSYNC, "at, length, later") \
	op(MLOCK, "at, length, flags (2: munlock)") \
	op(BRK, "bytes above the start") \
	op(TOUCH, "at, access, value") \
	op(SWEEP, "at, pages, access, value") \
	op(COPY_IN, "at, length") \
	op(COPY_OUT, "at, length, value") \
	op(FORK, "") \
	op(EXIT, "") \
	op(EXEC, "") \
	op(READ, "file, offset, at, length") \
	op(READ_KERNEL, "file, offset, length") \
	op(WRITE, "file, offset, at, length") \
	op(WRITE_KERNEL, "file, offset, length, value") \
	op(TRUNCATE, "file, size") \
	op(PUNCH, "file, offset, length") \
	op(SYNC, "file, or all") \
	op(RENEW, "file") \
	op(RECLAIM, "pages") \
	op(FORGET, "")

enum op {
#define OP_NUMBER(name, arguments) OP_##name,
	PROGRAM_OPS(OP_NUMBER)
#undef OP_NUMBER
	OPS
};

enum { ARGUMENTS = 6, ARENA_STACK = 400 /* pages of the arena above the window, for the stack */ };

struct step {
	enum op op;
	unsigned who;			/* process; where there is none, the next one */
	unsigned long a[ARGUMENTS];
	unsigned seek;			/* 1: its address is moved up to the next page that is mapped, so that it seldom misses */
	unsigned fail;			/* the fail-th allocation from the step's start on is refused; 0: none */
	unsigned slow;			/* how often a pager yields before it has read a page */
	unsigned io_error;		/* the io_error-th page that the step reads cannot be read; 0: none */
};

struct program {
	unsigned threads;		/* that take the steps in turn: 1 to 3 */
	unsigned kib;			/* memory */
	unsigned window;		/* pages in which mappings are made */
	unsigned policy;		/* enum huge_policy, + 3 times what fork does with tables */
	unsigned nsteps;
	struct step *step;
	const char *found;		/* regressions: what it has found */
};

extern const char *const op_name[OPS];

/* As a C initialiser, to paste into regressions.c. */
void program_print(const struct program *, FILE *);
struct program program_copy(const struct program *);
void program_free(struct program *);
