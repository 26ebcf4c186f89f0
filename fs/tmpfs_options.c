/*
 * fs/tmpfs_options.c - the options of a tmpfs: size, nr_blocks, nr_inodes, mode, uid, gid; see tmpfs.h.
 *
 * Sizes are bytes with k, m, g, t, p, e behind them, or, with %, a part of the machine's memory; 0 is as much as there is.  What Linux knows besides and has no
 * meaning here (huge, mpol, inode32, inode64, noswap) is accepted.
 */
#include "fs/tmpfs.h"
#include "fs/synth.h"
#include "vm/frame.h"
#include "lib/string.h"

/* Digits in this base from *at on; false: none, or too many. */
static bool get_number(const char **at, unsigned base, uint64_t *value)
{
	const char *start = *at;

	for (*value = 0; **at >= '0' && **at < (char)('0' + base); ++*at)
		if (__builtin_mul_overflow(*value, base, value) || __builtin_add_overflow(*value, (uint64_t)(**at - '0'), value))
			return false;
	return *at > start;
}

/* A number with a unit behind it. */
static bool get_size(const char **at, uint64_t *value)
{
	static const char units[] = "kmgtpe";

	if (!get_number(at, 10, value))
		return false;
	const char *unit = **at ? strchr(units, **at | 0x20) : NULL;
	if (unit) {
		unsigned shift = (unsigned)(unit - units + 1) * 10;
		if (*value > UINT64_MAX >> shift)
			return false;
		*value <<= shift;
		++*at;
	}
	return true;
}

/* Pages for size=. */
static bool get_pages(const char *at, uint64_t *npages)
{
	struct frame_stats frames;
	uint64_t size;

	if (!get_size(&at, &size))
		return false;
	if (*at == '%') {
		frame_get_stats(&frames);
		if (__builtin_mul_overflow(size, (uint64_t)frames.managed, &size))
			return false;
		*npages = size / 100;
		at++;
	} else {
		*npages = (size >> PAGE_SHIFT) + (size & PAGE_MASK ? 1 : 0);
	}
	return *at == '\0';
}

struct settings { uint64_t pages, nodes, mode, uid, gid; unsigned which; };
enum { SET_PAGES = 1, SET_NODES = 2, SET_MODE = 4, SET_UID = 8, SET_GID = 16 };

/* One option, value NULL if it has none. */
static int set_option(struct settings *s, const char *name, const char *value)
{
	static const char *const ignored[] = { "huge", "mpol", "inode32", "inode64", "noswap" };
	static const struct { const char *name; unsigned bit, base; size_t at; uint64_t most; } numbers[] = {
		{ "mode", SET_MODE, 8, offsetof(struct settings, mode), UINT32_MAX }, { "uid", SET_UID, 10, offsetof(struct settings, uid), UINT32_MAX - 1 },
		{ "gid", SET_GID, 10, offsetof(struct settings, gid), UINT32_MAX - 1 },
	};
	bool good = false;

	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		if (strcmp(name, ignored[i]) == 0)
			return 0;
	if (!value)
		return -EINVAL;
	if (strcmp(name, "size") == 0) {
		good = get_pages(value, &s->pages);
		s->which |= SET_PAGES;
	} else if (strcmp(name, "nr_blocks") == 0) {
		good = get_size(&value, &s->pages) && !*value;
		s->which |= SET_PAGES;
	} else if (strcmp(name, "nr_inodes") == 0) {
		good = get_size(&value, &s->nodes) && !*value;
		s->which |= SET_NODES;
	} else {
		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
			if (strcmp(name, numbers[i].name) != 0)
				continue;
			uint64_t *to = (uint64_t *)((char *)s + numbers[i].at);
			good = get_number(&value, numbers[i].base, to) && !*value && *to <= numbers[i].most;
			s->which |= numbers[i].bit;
		}
	}
	return good ? 0 : -EINVAL;
}

static int parse(struct settings *s, char *options)
{
	int error = 0;

	while (options && *options && !error) {
		char *end = strchr(options, ','), *value;

		if (end)
			*end = '\0';
		value = strchr(options, '=');
		if (value)
			*value++ = '\0';
		if (*options)
			error = set_option(s, options, value);
		options = end ? end + 1 : NULL;
	}
	return error;
}

/* 0 stands for no limit; one that is there stays above what is used, and cannot come where there was none. */
static int new_limit(size_t *limit, uint64_t wanted, size_t used, bool again)
{
	if (wanted && again && (wanted < used || *limit == SIZE_MAX))
		return -EINVAL;
	*limit = wanted ? wanted : SIZE_MAX;
	return 0;
}

int tmpfs_configure(struct mount *m, char *options, bool again)
{
	struct tmpfs *fs = container_of(m, struct tmpfs, mount);
	struct settings s = { .which = 0 };
	int error = parse(&s, options);

	if (error)
		return error;
	spin_lock(&fs->lock);
	if (s.which & SET_PAGES)
		error = new_limit(&fs->limit, s.pages, fs->charged, again);
	if (!error && s.which & SET_NODES)
		error = new_limit(&fs->node_limit, s.nodes, fs->nodes, again);
	spin_unlock(&fs->lock);
	if (error || again)			/* a remount leaves the root's owner and mode alone */
		return error;
	if (s.which & SET_MODE)
		m->root->mode = S_IFDIR | ((uint32_t)s.mode & 07777);
	if (s.which & SET_UID)
		m->root->uid = (uint32_t)s.uid;
	if (s.which & SET_GID)
		m->root->gid = (uint32_t)s.gid;
	return 0;
}

void tmpfs_show(struct mount *m, struct text *t)
{
	const struct tmpfs *fs = container_of(m, struct tmpfs, mount);
	struct frame_stats frames;

	frame_get_stats(&frames);
	if (fs->limit != frames.managed / 2 && fs->limit != SIZE_MAX)
		text_print(t, ",size=%luk", (unsigned long)(fs->limit * (PAGE_SIZE / 1024)));
	if (fs->node_limit != frames.managed / 2 && fs->node_limit != SIZE_MAX)
		text_print(t, ",nr_inodes=%lu", (unsigned long)fs->node_limit);
	if ((m->root->mode & 07777) != 01777)
		text_print(t, ",mode=%03o", m->root->mode & 07777);
	if (m->root->uid)
		text_print(t, ",uid=%u", m->root->uid);
	if (m->root->gid)
		text_print(t, ",gid=%u", m->root->gid);
}
