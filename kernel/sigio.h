/*
 * kernel/sigio.h - O_ASYNC: files that send a signal when they may have become ready.
 */
#pragma once
#include "fs/file.h"

void sigio_init(void);					/* at boot */
/* Sets or clears the flag, by this descriptor: -ENOTTY: not for such files; -ENOMEM. */
int sigio_set(struct file *, int fd, bool on);
