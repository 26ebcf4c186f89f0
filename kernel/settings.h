/* kernel/settings.h - settings that are one word of a few: given at boot as NAME=WORD, and changed in files below /proc/sys/vm and /sys. */
#pragma once
#include "vm/types.h"

enum { SETTING_WORDS = 3 };

struct setting {
	const char *option, *file;	/* names on the command line, and of the file */
	const char *words[SETTING_WORDS];
	unsigned *value;		/* index of the word; one machine word, read and written whole */
	bool shows_all;			/* the file shows all words, the present one in brackets */
};

/* The setting of this option or file; NULL: there is none. */
const struct setting *setting_find(const char *name);
/* Sets it to the word of `len` characters: 0, or -EINVAL. */
int setting_take(const struct setting *, const char *word, size_t len);

/* A number that can be changed in a file below /proc/sys, within bounds: one word, read and written whole. */
struct number { const char *file; unsigned long *value, least, most; };
/* The number of this file, which is one. */
const struct number *number_find(const char *file);
/* Sets it to the decimal number in the first `len` characters, white space around it: 0, or -EINVAL. */
int number_take(const struct number *, const char *string, size_t len);
/* What they set: kernel/process.c, sys_limits.c, sys_shm.c, sys_msg.c. */
extern unsigned long pid_max, threads_max, nofile_most, shm_size_max, shm_pages_max, shm_segments_max, msg_size_max, msg_queue_bytes, msg_queues_max,
	mq_messages_max, mq_size_max, mq_queues_max, mq_messages_default, mq_size_default;
