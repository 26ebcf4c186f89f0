/* kernel/random.h - random numbers that cannot be guessed, also not from later or earlier ones: for getrandom, /dev/urandom, AT_RANDOM. */
#pragma once
#include <stddef.h>

void random_bytes(void *to, size_t n);
/* Stirs something in: it can only help. */
void random_mix(const void *from, size_t n);
