/*
 * tests/host/fat_fuzz.c - libFuzzer's way into the FAT driver: any bytes are mounted, walked, read and unmounted.
 *
 *   make fuzz-fat TIME=60
 *
 * The first byte of the input chooses whether the image lies on frames (pages are borrowed) or ends at its last byte (a byte too far is seen), and
 * what is then created, written, cut, renamed and removed.
 */
#include <stdlib.h>
#include "fat_drive.h"
#include "lib/string.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	drive_boot();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_report r;
	if (size < 2 || size > DRIVE_IMAGE_MAX)
		return 0;
	bool lent = *data & 1;
	size_t bytes = size - 1;
	uint8_t *image = lent ? drive_image() : malloc(bytes);
	memcpy(image, data + 1, bytes);
	drive_change_seed = *data >> 1;
	drive_everything(image, bytes, lent ? drive_image_pfn() : PFN_NONE, &r);
	if (drive_blocks != 0 || vnode_count() != 0 || r.nodes > bytes / 16 + 1)
		abort();
	if (!lent)
		free(image);
	return 0;
}
