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
