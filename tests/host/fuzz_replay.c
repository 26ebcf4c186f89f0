/*
 * tests/host/fuzz_replay.c - a fuzzer without libFuzzer: gives each file of the folders that are named to the target, once; TAP.
 *
 * So every test run sees again what fuzzing has found, in the ordinary build.  A crash is a plan that is not fulfilled.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of its own size, so that the sanitizer sees a byte too far. */
static void replay(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || fseek(f, 0, SEEK_END))
		exit(2);
	size_t size = (size_t)ftell(f);
	uint8_t *data = malloc(size ? size : 1);
	rewind(f);
	if (!data || fread(data, 1, size, f) != size)
		exit(2);
	fclose(f);
	fprintf(stderr, "# %s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static unsigned replay_folder(const char *folder)
{
	struct dirent **list;
	int n = scandir(folder, &list, NULL, alphasort), files = 0;
	char path[1024];

	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
			replay(path);
			files++;
		}
		free(list[i]);
	}
	free(list);
	return (unsigned)files;
}

int main(int argc, char **argv)
{
	unsigned files = 0;

	printf("1..1\n");
	fflush(stdout);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		files += replay_folder(argv[i]);
	printf("%s 1 - fuzz: %s: %u files\n", files ? "ok" : "not ok", argc > 1 ? argv[1] : "no folder", files);
	return files == 0;
}
