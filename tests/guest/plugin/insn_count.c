/*
 * insn_count - a plugin for QEMU that counts the guest's instructions with any number of processors, where -icount cannot.
 *
 *	-plugin build/guest/insn_count.so,counts=FILE
 *
 * FILE becomes the counters: for each processor a line of 64 bytes, whose first 8 are its count.  It can be read at any time.  Blocks of translated code
 * are counted at their entry, so what a fault cuts off of one counts as well, a few instructions each time; each step of a rep instruction counts
 * as one, as with -icount.
 *
 * Debian packages QEMU without the header: what is declared here is version 1 of the interface (qemu/docs/devel/tcg-plugins.rst).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum plugin_flags { PLUGIN_CB_NO_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned vcpu, void *data), enum plugin_flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum { PROCESSORS_MAX = 64 };
static struct { uint64_t count, unused[7]; } *counters;

/* Each processor has its line, which its own thread alone writes. */
static void on_block(unsigned vcpu, void *ninsns)
{
	counters[vcpu % PROCESSORS_MAX].count += (uintptr_t)ninsns;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, PLUGIN_CB_NO_REGS, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	size_t size = PROCESSORS_MAX * sizeof *counters;
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "counts=", 7)) {
		fputs("insn_count: wants counts=FILE\n", stderr);
		return 1;
	}
	fd = open(argv[0] + 7, O_RDWR | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)size) || (counters = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
		perror(argv[0] + 7);
		return 1;
	}
	close(fd);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
