/*
 * kernel/random.c - a random generator: ChaCha20 with a key that is replaced at every use.
 *
 * Each request runs the cipher under the present key.  The first 32 bytes of the stream are the next key, the rest is the answer: who learns
 * the state later cannot compute what was given out before ("fast key erasure", D. J. Bernstein 2017).  Bytes of the processor's source
 * are stirred into the key every so many requests, so that a state that leaked is of use for a short time only.
 *
 * Protected by random_lock (interrupts are not concerned: nothing draws in them).  ChaCha20 is that of RFC 8439, with a 64-bit counter.
 */
#include "kernel/random.h"
#include "arch/cpu.h"
#include "lib/string.h"
#include "lib/sync.h"

enum { KEY_WORDS = 8, BLOCK_WORDS = 16, ROUNDS = 20, STIR_EVERY = 64 };

static struct spinlock random_lock = SPINLOCK_INIT("random", RANK_ZONE + 1);
static uint32_t key[KEY_WORDS];			/* random_lock */
static unsigned until_stir;			/* random_lock; 0: at the next request, the first one included */

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void quarter(uint32_t x[BLOCK_WORDS], int a, int b, int c, int d)
{
	x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b]; x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d]; x[b] = rotate(x[b] ^ x[c], 7);
}

/* Block `counter` of the stream under this key. */
static void chacha_block(const uint32_t with[KEY_WORDS], uint64_t counter, uint32_t out[BLOCK_WORDS])
{
	uint32_t start[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };	/* "expand 32-byte k" */
	memcpy(start + 4, with, KEY_WORDS * sizeof *with);
	start[12] = (uint32_t)counter;
	start[13] = (uint32_t)(counter >> 32);
	memcpy(out, start, sizeof start);
	for (int i = 0; i < ROUNDS; i += 2) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] += start[i];
}

/* Takes the present key, for one request, and puts the next one in its place. */
static void take_key(uint32_t mine[KEY_WORDS])
{
	uint32_t block[BLOCK_WORDS], fresh[KEY_WORDS];
	bool stir;

	spin_lock(&random_lock);
	stir = until_stir == 0;
	until_stir = stir ? STIR_EVERY : until_stir - 1;
	if (stir) {
		cpu_random(fresh, sizeof fresh);
		for (int i = 0; i < KEY_WORDS; i++)
			key[i] ^= fresh[i];
	}
	chacha_block(key, 0, block);
	memcpy(key, block, sizeof key);
	memcpy(mine, block + KEY_WORDS, KEY_WORDS * sizeof *mine);
	spin_unlock(&random_lock);
}

void random_bytes(void *to, size_t n)
{
	uint32_t mine[KEY_WORDS], block[BLOCK_WORDS];
	unsigned char *at = to;

	take_key(mine);
	for (uint64_t counter = 0; n > 0; counter++) {
		size_t part = n < sizeof block ? n : sizeof block;
		chacha_block(mine, counter, block);
		memcpy(at, block, part);
		at += part;
		n -= part;
	}
}

