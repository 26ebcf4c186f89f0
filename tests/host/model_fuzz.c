/*
 * tests/host/model_fuzz.c - libFuzzer's way into the model test: any bytes are a program (tests/host/model/generate.c), which runs on vm/ and on the reference.
 *
 *   make fuzz-model TIME=60
 *   build/host/3x5/model bytes FILE        makes what it found short, as the model test does
 *
 * The machine starts once: programs run one behind the other on it, and each leaves it empty.
 */
#include "model/generate.h"
#include "model/run.h"

enum { KIB = 1024, STEPS_AT_MOST = 300 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	run_boot(KIB);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program program = generate_from_bytes(data, size, STEPS_AT_MOST);

	run_program(&program);
	program_free(&program);
	return 0;
}
