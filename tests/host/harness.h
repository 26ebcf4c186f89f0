/*
 * tests/host/harness.h - runs cmocka tests, each in a process of its own, and prints TAP.
 *
 * A simulated machine starts once a process, and a failed assertion of the kernel leaves it in no state to go on; so each
 * test is forked off, has its own machine, and may crash without harm to the others.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
/* vm/types.h comes after the system's headers: lib/assert.h takes assert over. */
#include "sim.h"

/* A test function that has a machine of so many MiB (0: none, it starts its own). */
#define TEST(name) static void name(void **state)
#define RUN_TESTS(suite, tests) \
	int main(int argc, char **argv) { return run_suite((suite), (tests), sizeof(tests) / sizeof *(tests), argc > 1 ? argv[1] : NULL); }

/* Runs the tests whose names contain `only` (NULL: all); returns the exit status. */
int run_suite(const char *suite, const struct CMUnitTest *, size_t n, const char *only);

/* What exists; a test must leave as much of everything as there was. */
struct census { size_t frames, heap_bytes, heap_objects, objects, records, spaces, kspace_pages, kspace_ranges; };
struct census census_take(void);
/* Fails the test if anything is more or less than in `before`, or vm_check or the TLBs complain. */
void census_check(const struct census *before);
void check_sound(void);
