/* kernel/settings.c - settings that are one word of a few, or a number.  See settings.h. */
#include "kernel/settings.h"
#include "kernel/exec.h"
#include "fs/fat.h"
#include "fs/pipe.h"
#include "lib/string.h"
#include "vm/fault.h"
#include "vm/stats.h"

static const struct setting settings[] = {
	{ "pager", "pager", { "ok", "slow", "eio" }, &fat_pager_mode, false },
	{ "fault_ahead", "fault_ahead", { "off", "on" }, &fault_ahead, true },
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

static const struct number numbers[] = {
	{ "pid_max", &pid_max, 301, 4194304 }, { "threads-max", &threads_max, 1, 0x3fffffff }, { "nr_open", &nofile_most, 64, 1 << 30 },
	{ "shmmax", &shm_size_max, 0, ~0ul }, { "shmall", &shm_pages_max, 0, ~0ul }, { "shmmni", &shm_segments_max, 0, 4096 },
	{ "msgmax", &msg_size_max, 0, INT32_MAX }, { "msgmnb", &msg_queue_bytes, 0, INT32_MAX }, { "msgmni", &msg_queues_max, 0, 4096 },
	{ "msg_max", &mq_messages_max, 1, 65536 }, { "msgsize_max", &mq_size_max, 128, 16 << 20 }, { "queues_max", &mq_queues_max, 0, INT32_MAX },
	{ "msg_default", &mq_messages_default, 1, 65536 }, { "msgsize_default", &mq_size_default, 128, 16 << 20 },
	{ "pipe-max-size", &pipe_size_most, PAGE_SIZE, 1ul << 31 },
};

const struct number *number_find(const char *file)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(numbers[i].file, file) == 0)
			return &numbers[i];
	return NULL;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

int number_take(const struct number *n, const char *string, size_t len)
{
	unsigned long value = 0;
	size_t at = 0;
	while (at < len && is_space(string[at]))
		at++;
	size_t first = at;
	for (; at < len && string[at] >= '0' && string[at] <= '9'; at++)
		if (__builtin_mul_overflow(value, 10ul, &value) || __builtin_add_overflow(value, (unsigned long)(string[at] - '0'), &value))
			return -EINVAL;
	bool any = at > first;
	while (at < len && is_space(string[at]))
		at++;
	if (!any || at < len || value < n->least || value > n->most)
		return -EINVAL;
	__atomic_store_n(n->value, value, __ATOMIC_RELAXED);
	return 0;
}
