/*
 * fs/fat_dir.c - a directory: scanned on disk, loaded into nodes.
 *
 * A directory is read twice when it is first looked into: once to count, once to fill one block of the heap with its nodes, hash buckets and
 * texts.  Then the manifest's lines for it are applied: they change stored entries or add some that FAT has no form for.
 * Names compare exactly, byte for byte, as programs expect; two stored names that FAT would call equal differ for us.
 */
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { SLOT_FREE = 0xe5, SLOT_END = 0 };

struct scan {
	fat_entry_fn fn;
	void *context;
	struct fat_long longer;
	char name[FAT_NAME_MAX];
};

static bool is_dots(const uint8_t *slot)
{
	return memcmp(slot, ".          ", 11) == 0 || memcmp(slot, "..         ", 11) == 0;
}

/* The entries of n bytes of a directory; false: the directory ends here. */
static bool scan_slots(struct scan *s, const uint8_t *slot, size_t n)
{
	for (const uint8_t *end = slot + n; slot < end; slot += FAT_SLOT) {
		if (slot[0] == SLOT_END)
			return false;
		if (slot[0] != SLOT_FREE && (slot[11] & 0x3f) == FAT_ATTR_LONG) {
			fat_long_add(&s->longer, slot);
			continue;
		}
		if (slot[0] != SLOT_FREE && !(slot[11] & FAT_ATTR_VOLUME) && !is_dots(slot)) {
			struct fat_entry e = { slot, s->name, fat_name(&s->longer, slot, s->name) };
			if (e.len > 0)
				s->fn(s->context, &e);
		}
		s->longer.units = 0;
	}
	return true;
}

int fat_scan(struct fat_volume *vol, const struct fat_node *dir, fat_entry_fn fn, void *context)
{
	struct scan s = { .fn = fn, .context = context };
	if (dir == &vol->root && vol->root_size) {
		scan_slots(&s, vol->image + vol->root_offset, vol->root_size);
		return 0;
	}
	uint32_t c = dir->start ? dir->start : FAT_BROKEN;
	while (c >= 2 && scan_slots(&s, vol->image + fat_offset(vol, c), (size_t)1 << vol->cluster_shift))
		c = fat_next(vol, c);
	return c == FAT_BROKEN ? -EIO : 0;
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

/* How much a directory needs, and then its block while it is filled. */
struct load {
	struct fat_volume *vol;
	struct fat_node *parent;
	unsigned nodes, node_limit;
	size_t text, text_limit;
	struct fat_dir *dir;
	char *texts;
};

static bool is_hidden(const struct load *l, const struct fat_entry *e)
{
	return l->parent == &l->vol->root && e->len == strlen(FAT_META_NAME) && memcmp(e->name, FAT_META_NAME, e->len) == 0;
}

static void count_entry(void *context, const struct fat_entry *e)
{
	struct load *l = context;
	l->node_limit++;
	l->text_limit += e->len;
}

/* New names of stored entries, names and targets of the others: no longer than they are in their encoded form. */
static int count_lines(struct load *l, const char **lines)
{
	*lines = NULL;
	if (!l->vol->meta)
		return 0;
	int err = fat_meta_section(l->vol->meta, l->parent, lines);
	struct fat_meta_line line;
	for (const char *at = *lines; at && fat_meta_next(l->vol->meta, &at, &line);) {
		l->node_limit += line.type != 'f' && line.type != 'd';
		l->text_limit += line.name_len + line.extra_len;
	}
	return err;
}

static unsigned hash(const char *name, size_t len)
{
	unsigned h = len;
	while (len-- > 0)
		h = h * 31 + (uint8_t)*name++;
	return h ^ h >> 7;
}

static struct fat_node **bucket_of(const struct fat_dir *dir, const char *name, size_t len)
{
	return &dir->bucket[hash(name, len) & dir->mask];
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

static struct fat_node *add_node(struct load *l, const char *name, size_t len)
{
	struct fat_node *n = &l->dir->node[l->nodes++];
	*n = (struct fat_node){ .parent = l->parent, .name = name, .name_len = len };
	return n;
}

/* => an entry whose first cluster is not the beginning of a chain of its own keeps none: reading it gives -EIO. */
static void fill_entry(void *context, const struct fat_entry *e)
{
	struct load *l = context;
	const uint8_t *slot = e->slot;
	if (is_hidden(l, e) || l->nodes == l->node_limit || l->text + e->len > l->text_limit)
		return;
	char *name = memcpy(l->texts + l->text, e->name, e->len);
	l->text += e->len;
	struct fat_node *n = add_node(l, name, e->len);
	uint32_t start = fat_entry_start(l->vol, slot);
	n->start = start && fat_claim(l->vol, start) ? start : 0;
	n->mtime = fat_time(slot);
	n->ino = (slot - l->vol->image) / FAT_SLOT;
	n->mode = S_IFDIR | 0755;
	if (!(slot[11] & FAT_ATTR_DIRECTORY)) {
		/* Without a manifest nothing tells programs from data. */
		n->mode = S_IFREG | (l->vol->meta ? 0644 : 0755);
		n->size = fat_get32(slot + 28);
	}
	if (slot[11] & FAT_ATTR_READ_ONLY)
		n->mode &= ~0222;
	hash_in(l->dir, n);
}

static const char *put_text(struct load *l, const char *from, size_t len, size_t *decoded)
{
	char *to = l->texts + l->text;
	*decoded = fat_meta_decode(to, from, len);
	l->text += *decoded;
	return to;
}

/* A line about a stored entry, under the name that it is stored by. */
static void change_entry(struct load *l, const struct fat_meta_line *line)
{
	char stored[3 * FAT_NAME_MAX];
	bool renamed = line->extra_len > 0;
	size_t len = renamed ? fat_meta_decode(stored, line->extra, line->extra_len) : fat_meta_decode(stored, line->name, line->name_len);
	struct fat_node *n = fat_dir_find(l->dir, stored, len);
	if (!n || S_ISDIR(n->mode) != (line->type == 'd'))
		return;
	n->mode = (n->mode & S_IFMT) | line->mode;
	n->uid = line->uid;
	n->gid = line->gid;
	if (renamed) {
		hash_out(l->dir, n);
		n->name = put_text(l, line->name, line->name_len, &len);
		n->name_len = len;
		hash_in(l->dir, n);
	}
}

/* A line that is an entry of its own; its inode number is where it stands in the manifest, above those of stored ones. */
static void add_entry(struct load *l, const struct fat_meta_line *line)
{
	size_t len;
	const char *name = put_text(l, line->name, line->name_len, &len);
	struct fat_node *n = add_node(l, name, len);
	n->uid = line->uid;
	n->gid = line->gid;
	n->ino = 0x80000000u | line->at;
	n->mtime = l->parent->mtime;
	n->mode = line->mode | (line->type == 'l' ? S_IFLNK : line->type == 'c' ? S_IFCHR : line->type == 'b' ? S_IFBLK : S_IFIFO);
	if (line->type == 'l') {
		n->target = put_text(l, line->extra, line->extra_len, &len);
		n->size = len;
	} else if (line->type != 'p') {
		fat_meta_device(line, &n->start);
	}
	hash_in(l->dir, n);
}

static void apply_lines(struct load *l, const char *lines)
{
	struct fat_meta_line line;
	for (const char *at = lines; at && fat_meta_next(l->vol->meta, &at, &line);) {
		if (line.type == 'f' || line.type == 'd')
			change_entry(l, &line);
		else
			add_entry(l, &line);
	}
}

static struct fat_dir *dir_alloc(const struct load *l)
{
	size_t buckets = 1, nodes = l->node_limit * sizeof(struct fat_node);
	while (buckets < l->node_limit)
		buckets *= 2;
	struct fat_dir *dir = kmalloc(sizeof(*dir) + nodes + buckets * sizeof(dir->bucket[0]) + l->text_limit);
	if (!dir)
		return NULL;
	dir->mask = buckets - 1;
	dir->bucket = (struct fat_node **)((char *)dir->node + nodes);
	memset(dir->bucket, 0, buckets * sizeof(dir->bucket[0]));
	return dir;
}

int fat_dir_load(struct fat_volume *vol, struct fat_node *parent)
{
	struct load l = { .vol = vol, .parent = parent };
	const char *lines;
	if (parent->dir)
		return 0;
	int err = fat_scan(vol, parent, count_entry, &l);
	if (!err)
		err = count_lines(&l, &lines);
	if (err)
		return err;
	l.dir = dir_alloc(&l);
	if (!l.dir)
		return -ENOMEM;
	l.texts = (char *)(l.dir->bucket + l.dir->mask + 1);
	fat_scan(vol, parent, fill_entry, &l);
	apply_lines(&l, lines);
	l.dir->count = l.nodes;
	parent->dir = l.dir;
	return 0;
}

/* A tree of any depth, without recursion: goes down to a directory without loaded ones below it, frees it, goes on in its parent. */
void fat_dir_free(struct fat_dir *top)
{
	while (top) {
		struct fat_dir *dir = top;
		struct fat_node *owner = NULL;
		for (unsigned i = 0; i < dir->count; i++) {
			struct fat_node *n = &dir->node[i];
			if (S_ISDIR(n->mode) && n->dir) {
				owner = n;
				dir = n->dir;
				i = (unsigned)-1;
			}
		}
		if (!owner) {
			kfree(top);
			return;
		}
		kfree(dir);
		owner->dir = NULL;
	}
}
