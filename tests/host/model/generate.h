/*
 * tests/host/model/generate.h - makes programs: from a seed, or from the bytes of a fuzzer.
 */
#pragma once
#include "program.h"

/* A program of this many steps, in memory of malloc (program_free). */
struct program generate_from_seed(uint64_t seed, unsigned nsteps);
/* The same from any bytes, which are used up. */
struct program generate_from_bytes(const uint8_t *bytes, size_t n, unsigned nsteps_at_most);

/* SplitMix64 (Steele, Lea, Flood 2014): the next word. */
uint64_t random_word(uint64_t *state);
