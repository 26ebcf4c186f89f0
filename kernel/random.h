/* kernel/random.h - random numbers that cannot be guessed, also not from later or earlier ones: for getrandom, /dev/urandom, AT_RANDOM. */
#pragma once
#include <stddef.h>

void random_bytes(void *to, size_t n);
