/*
 * arch/console.h - contract: console and job channels.
 *
 * The console is a serial line: the kernel's log and, when interactive, /dev/console.  The job channels exist when
 * the host asks for them (run.sh -c): raw bytes, no translation, apart from the console.
 */
#pragma once
#include "vm/types.h"

/* Works from the first instruction in long mode on; polls, no lock; converts nothing. */
void console_put(const char *bytes, size_t n);
/* From now on received bytes are handed to console_received in interrupt context. */
void console_start(void);
void console_received(const char *bytes, size_t n);			/* upcall: kernel/tty.c */

enum job_channel { JOB_STDIN, JOB_STDOUT, JOB_STDERR, JOB_STATUS };
/* Do the job channels exist on this machine? */
bool job_present(void);
/* Writes n bytes to JOB_STDOUT, JOB_STDERR or JOB_STATUS; does not lose any. */
void job_put(enum job_channel, const char *bytes, size_t n);
/*
 * Up to n bytes of the host's standard input that have come in so far; 0: none yet; -1: end of file (stays so).
 * After 0, job_received is called in interrupt context when there is more.
 */
ssize job_get(char *to, size_t n);
void job_received(void);						/* upcall: fs/job.c */

/*
 * A named blob that the host handed over (QEMU fw_cfg, "opt/faultline/NAME"): its size, or -ENOENT; and its bytes from an offset.
 * Names in use: "cmdline" (appended to the kernel command line), "job" (the command for the shell).
 */
ssize host_blob_size(const char *name);
ssize host_blob_read(const char *name, size_t offset, void *to, size_t n);
