/*
 * tests/host/multiboot_fuzz.c - libFuzzer's way into the Multiboot2 parser.
 *
 *   make fuzz-multiboot TIME=60
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "multiboot_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool refused;
	const char *wrong = drive_judge(data, size, &refused);

	if (wrong) {
		fprintf(stderr, "%s\n", wrong);
		abort();
	}
	return 0;
}
