/*
 * fs/fat_dir.c - a directory in memory: scanned on disk, loaded into nodes.
 *
 * A directory is read when it is first looked into; from then on its nodes are what it holds, and every change is made on disk and to them.
 * The manifest's lines for it are applied then: they change stored entries or add some that FAT has no form for.
 * Names compare exactly, byte for byte, as programs expect; two stored names that FAT would call equal differ for us.
 */
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { FIRST_BUCKETS = 8 };

/* ---- on disk ----------------------------------------------------------------------------------------------------------- */

static bool is_dots(const uint8_t *slot)
{
	return memcmp(slot, ".          ", 11) == 0 || memcmp(slot, "..         ", 11) == 0;
}

int fat_scan(struct fat_volume *vol, const struct fat_node *dir, fat_entry_fn fn, void *context)
{
	struct fat_long longer = { 0 };
	char name[FAT_NAME_MAX];
	struct fat_slots s = fat_slots(vol, dir);
	uint8_t *slot;
	while ((slot = fat_next_slot(&s)) && slot[0] != FAT_SLOT_END) {
		if (slot[0] != FAT_SLOT_FREE && (slot[11] & 0x3f) == FAT_ATTR_LONG) {
			fat_long_add(&longer, slot);
			continue;
		}
		if (slot[0] != FAT_SLOT_FREE && !(slot[11] & FAT_ATTR_VOLUME) && !is_dots(slot)) {
			struct fat_entry e = { slot, name, fat_name(&longer, slot, name) };
			if (e.len > 0)
				fn(context, &e);
		}
		longer.units = 0;
	}
	return !slot && s.broken ? -EIO : 0;
}

int64_t fat_time(const uint8_t *slot)
{
	unsigned time = fat_get16(slot + 22), date = fat_get16(slot + 24);
	unsigned year = 1980 + (date >> 9), month = date >> 5 & 15, day = date & 31;
	/* Years that begin in March put the leap day last. */
	unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	int64_t days = (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 719469;
	return days * 86400 + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
}

void fat_put_time(uint8_t *slot, int64_t seconds)
{
	const int64_t first = 315532800, last = 4354819199;	/* 1980 to 2107 */
	int64_t t = seconds < first ? first : seconds > last ? last : seconds;
	/* Days since the first of March of the year 0, in cycles of 400, 100, 4 and 1 years. */
	unsigned day = t / 86400 + 719468, era = day / 146097, rest = day % 146097;
	unsigned y = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365, in_year = rest - (365 * y + y / 4 - y / 100);
	unsigned m = (5 * in_year + 2) / 153, month = m < 10 ? m + 3 : m - 9, year = y + era * 400 + (month <= 2);
	fat_put16(slot + 22, t / 3600 % 24 << 11 | t / 60 % 60 << 5 | t % 60 / 2);
	fat_put16(slot + 24, (year - 1980) << 9 | month << 5 | (in_year - (153 * m + 2) / 5 + 1));
}

/* ---- in memory ----------------------------------------------------------------------------------------------------------- */

static struct fat_node **bucket_of(const struct fat_dir *dir, const char *name, size_t len)
{
	unsigned h = len;
	while (len-- > 0)
		h = h * 31 + (uint8_t)*name++;
	return &dir->bucket[(h ^ h >> 7) & dir->mask];
}

static void hash_in(struct fat_dir *dir, struct fat_node *n)
{
	struct fat_node **link = bucket_of(dir, n->name, n->name_len);
	n->chain = *link;
	*link = n;
}

static void hash_out(struct fat_dir *dir, struct fat_node *n)
{
	struct fat_node **link = bucket_of(dir, n->name, n->name_len);
	while (*link != n)
		link = &(*link)->chain;
	*link = n->chain;
}

struct fat_node *fat_dir_find(const struct fat_dir *dir, const char *name, size_t len)
{
	struct fat_node *n = *bucket_of(dir, name, len);
	while (n && (n->name_len != len || memcmp(n->name, name, len) != 0))
		n = n->chain;
	return n;
}

/* More buckets when there are two nodes for each; without memory for them the chains grow longer. */
static void grow_buckets(struct fat_dir *dir)
{
	struct fat_node **bucket = kzalloc((dir->mask + 1) * 4 * sizeof(*bucket));
	if (!bucket)
		return;
	kfree(dir->bucket);
	dir->bucket = bucket;
	dir->mask = dir->mask * 4 + 3;
	list_for_each(l, &dir->entries)
		hash_in(dir, container_of(l, struct fat_node, order));
}

void fat_dir_enter(struct fat_dir *dir, struct fat_node *n)
{
	if (dir->count > dir->mask * 2)
		grow_buckets(dir);
	hash_in(dir, n);
	n->pos = dir->next_pos++;
	list_append(&dir->entries, &n->order);
	dir->count++;
}

void fat_dir_leave(struct fat_dir *dir, struct fat_node *n)
{
	hash_out(dir, n);
	list_remove(&n->order);
	dir->count--;
}

struct fat_node *fat_node_create(struct fat_volume *vol, struct fat_node *parent, const char *name, size_t len, size_t extra)
{
	struct fat_node *n = kmalloc(sizeof(*n) + len + extra);
	if (!n)
		return NULL;
	*n = (struct fat_node){ .parent = parent, .name = n->text, .name_len = len, .ino = ++vol->last_ino };
	memcpy(n->text, name, len);
	return n;
}

void fat_node_rename(struct fat_node *n, char *name, size_t len)
{
	if (n->name != n->text)
		kfree((char *)n->name);
	n->name = name;
	n->name_len = len;
}

void fat_node_free(struct fat_node *n)
{
	if (S_ISDIR(n->mode) && n->dir) {
		kfree(n->dir->bucket);
		kfree(n->dir);
	}
	fat_node_rename(n, n->text, 0);
	kfree(n);
}

/* ---- loading ------------------------------------------------------------------------------------------------------------- */

struct load {
	struct fat_volume *vol;
	struct fat_node *parent;
	struct fat_dir *dir;
	int error;
};

static bool is_hidden(const struct load *l, const struct fat_entry *e)
{
	return l->parent == &l->vol->root && e->len == strlen(FAT_META_NAME) && memcmp(e->name, FAT_META_NAME, e->len) == 0;
}

static struct fat_node *add_node(struct load *l, const char *name, size_t len, size_t extra)
{
	struct fat_node *n = fat_node_create(l->vol, l->parent, name, len, extra);
	if (n)
		fat_dir_enter(l->dir, n);
	else
		l->error = -ENOMEM;
	return n;
}

/* => an entry whose first cluster is not the beginning of a chain of its own keeps none: reading it gives -EIO. */
static void fill_entry(void *context, const struct fat_entry *e)
{
	struct load *l = context;
	const uint8_t *slot = e->slot;
	struct fat_node *n = l->error || is_hidden(l, e) ? NULL : add_node(l, e->name, e->len, 0);
	if (!n)
		return;
	uint32_t start = fat_entry_start(l->vol, slot);
	n->start = start && fat_claim(l->vol, start) ? start : 0;
	n->mtime = fat_time(slot);
	n->slot = e->slot;
	n->mode = S_IFDIR | 0755;
	if (!(slot[11] & FAT_ATTR_DIRECTORY)) {
		/* Without a manifest nothing tells programs from data. */
		n->mode = S_IFREG | (l->vol->meta ? 0644 : 0755);
		n->size = fat_get32(slot + 28);
	}
	if (slot[11] & FAT_ATTR_READ_ONLY)
		n->mode &= ~0222;
}

/* A line about a stored entry, under the name that it is stored by. */
static void change_entry(struct load *l, const struct fat_meta_line *line)
{
	char stored[3 * FAT_NAME_MAX];
	bool renamed = line->extra_len > 0;
	size_t len = renamed ? fat_meta_decode(stored, line->extra, line->extra_len) : fat_meta_decode(stored, line->name, line->name_len);
	struct fat_node *n = fat_dir_find(l->dir, stored, len);
	if (!n || !n->slot || S_ISDIR(n->mode) != (line->type == 'd'))
		return;
	n->mode = (n->mode & S_IFMT) | line->mode;
	n->uid = line->uid;
	n->gid = line->gid;
	n->line = line->at;
	if (renamed) {
		char *name = kmalloc(line->name_len);
		if (!name) {
			l->error = -ENOMEM;
			return;
		}
		hash_out(l->dir, n);
		fat_node_rename(n, name, fat_meta_decode(name, line->name, line->name_len));
		hash_in(l->dir, n);
	}
}

/* A line that is an entry of its own. */
static void add_entry(struct load *l, const struct fat_meta_line *line)
{
	char name[3 * FAT_NAME_MAX];
	size_t len = fat_meta_decode(name, line->name, line->name_len);
	struct fat_node *n = add_node(l, name, len, line->extra_len);
	if (!n)
		return;
	n->uid = line->uid;
	n->gid = line->gid;
	n->line = line->at;
	n->mtime = l->parent->mtime;
	n->mode = line->mode | (line->type == 'l' ? S_IFLNK : line->type == 'c' ? S_IFCHR : line->type == 'b' ? S_IFBLK : S_IFIFO);
	if (line->type == 'l') {
		n->target = n->text + len;
		n->size = fat_meta_decode(n->text + len, line->extra, line->extra_len);
	} else if (line->type != 'p') {
		fat_meta_device(line, &n->start);
	}
}

static void apply_lines(struct load *l, const char *lines)
{
	struct fat_meta_line line;
	for (const char *at = lines; at && !l->error && fat_meta_next(l->vol->meta, &at, &line);) {
		if (line.type == 'f' || line.type == 'd')
			change_entry(l, &line);
		else
			add_entry(l, &line);
	}
}

struct fat_dir *fat_dir_create(void)
{
	struct fat_dir *dir = kzalloc(sizeof(*dir));
	struct fat_node **bucket = kzalloc(FIRST_BUCKETS * sizeof(*bucket));
	if (!dir || !bucket) {
		kfree(dir);
		kfree(bucket);
		return NULL;
	}
	list_init(&dir->entries);
	dir->bucket = bucket;
	dir->mask = FIRST_BUCKETS - 1;
	dir->next_pos = DIR_FIRST;
	return dir;
}

int fat_dir_load(struct fat_volume *vol, struct fat_node *parent)
{
	struct load l = { .vol = vol, .parent = parent };
	const char *lines = NULL;
	if (parent->dir)
		return 0;
	l.dir = fat_dir_create();
	if (!l.dir)
		return -ENOMEM;
	l.error = vol->meta ? fat_meta_section(vol->meta, parent, &lines) : 0;
	int broken = l.error ? 0 : fat_scan(vol, parent, fill_entry, &l);
	if (!l.error)
		l.error = broken;
	apply_lines(&l, lines);
	if (!l.error) {
		parent->dir = l.dir;
		return 0;
	}
	list_for_each(at, &l.dir->entries) {
		struct fat_node *n = container_of(at, struct fat_node, order);
		if (n->slot && n->start)
			fat_unclaim(vol, n->start);
	}
	fat_dir_free(l.dir);
	return l.error;
}

/* A tree of any depth, without recursion: always the first directory that holds nothing, or the first file, is freed. */
void fat_dir_free(struct fat_dir *top)
{
	while (top && !list_empty(&top->entries)) {
		struct fat_node *n = container_of(top->entries.next, struct fat_node, order);
		while (S_ISDIR(n->mode) && n->dir && !list_empty(&n->dir->entries))
			n = container_of(n->dir->entries.next, struct fat_node, order);
		list_remove(&n->order);
		fat_node_free(n);
	}
	if (top)
		kfree(top->bucket);
	kfree(top);
}
