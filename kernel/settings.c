/* kernel/settings.c - settings that are one word of a few.  See settings.h. */
#include "kernel/settings.h"
#include "kernel/exec.h"
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/fault.h"
#include "vm/stats.h"

static const struct setting settings[] = {
	{ "pager", "pager", { "ok", "slow", "eio" }, &fat_pager_mode, false },
	{ "fault_cost", "fault_cost", { "auto", "on", "off" }, &stats_cost, true },
	{ "fork", "fork", { "share", "copy" }, &fork_tables, true },
	{ "randomize_va_space", "randomize_va_space", { "0", "1", "2" }, &randomize_maps, false },
	{ "transparent_hugepage", "enabled", { "always", "madvise", "never" }, &huge_policy, true },
};

const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (strcmp(settings[i].option, name) == 0 || strcmp(settings[i].file, name) == 0)
			return &settings[i];
	return NULL;
}

int setting_take(const struct setting *s, const char *word, size_t len)
{
	for (unsigned i = 0; i < SETTING_WORDS && s->words[i]; i++)
		if (strlen(s->words[i]) == len && memcmp(s->words[i], word, len) == 0) {
			__atomic_store_n(s->value, i, __ATOMIC_RELAXED);
			return 0;
		}
	return -EINVAL;
}
