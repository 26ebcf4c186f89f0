/*
 * fs/fat_slot.c - a directory on disk: its slots, and entries that come and go.
 *
 * An entry lies in one slot, with its long name in the slots before it (fat_name.c).  A new one takes the first free slots in a row that suffice;
 * where there are none the directory gets clusters more.  A slot that was never used ends the directory: what lies behind it has no meaning, so
 * whoever uses it makes the next one the end.
 *
 * FAT takes two names that differ only by case for one: a new name that is another's but for case is refused, though lookup tells them apart.
 *
 * Locks: volume->tree, by the caller; volume->chains where clusters are taken or entries written that the pager writes too.
 */
#include "fs/fat.h"
#include "lib/string.h"

enum { DIRECTORY_MAX = 65536 /* slots */, ENTRY_SLOTS = 21, VARIATIONS = 100 };

static bool has_fixed_place(const struct fat_volume *vol, const struct fat_node *dir)
{
	return dir == &vol->root && vol->root_size;
}

static void enter_cluster(struct fat_slots *s, uint32_t c)
{
	s->cluster = c;
	s->at = s->vol->image + fat_offset(s->vol, c);
	s->end = s->at + (1u << s->vol->cluster_shift);
}

struct fat_slots fat_slots(struct fat_volume *vol, const struct fat_node *dir)
{
	struct fat_slots s = { .vol = vol };
	if (has_fixed_place(vol, dir)) {
		s.at = vol->image + vol->root_offset;
		s.end = s.at + vol->root_size;
	} else if (dir->start) {
		enter_cluster(&s, dir->start);
	} else {
		s.broken = true;
	}
	return s;
}

uint8_t *fat_next_slot(struct fat_slots *s)
{
	if (s->at == s->end) {
		uint32_t next = s->cluster ? fat_next(s->vol, s->cluster) : FAT_END;
		s->broken |= next == FAT_BROKEN;
		if (next < 2)
			return NULL;
		enter_cluster(s, next);
	}
	uint8_t *slot = s->at;
	s->at += FAT_SLOT;
	return slot;
}

/* ---- room for a new entry ---------------------------------------------------------------------------------------------- */

/* The next slot, in a new cluster if need be; NULL: *error. */
static uint8_t *reach_slot(struct fat_slots *s, unsigned reached, int *error)
{
	uint8_t *slot = fat_next_slot(s);
	if (slot)
		return slot;
	*error = s->broken ? -EIO : -ENOSPC;
	if (*error == -EIO || s->cluster == 0 || reached >= DIRECTORY_MAX)
		return NULL;
	spin_lock(&s->vol->chains);
	uint32_t c = fat_append(s->vol, s->cluster);
	spin_unlock(&s->vol->chains);
	return c ? fat_next_slot(s) : NULL;
}

/* n slots in a row that are free; a directory that has been made longer for nothing stays so. */
static int find_room(struct fat_volume *vol, const struct fat_node *dir, unsigned n, uint8_t **slot)
{
	struct fat_slots s = fat_slots(vol, dir);
	bool behind_end = false;
	int error = 0;
	for (unsigned run = 0, reached = 0; run < n; reached++) {
		uint8_t *at = reach_slot(&s, reached, &error);
		if (!at)
			return error;
		behind_end |= at[0] == FAT_SLOT_END;
		if (behind_end || at[0] == FAT_SLOT_FREE)
			slot[run++] = at;
		else
			run = 0;
	}
	uint8_t *next = behind_end ? fat_next_slot(&s) : NULL;
	if (next)
		next[0] = FAT_SLOT_END;
	return 0;
}

static bool is_taken(struct fat_volume *vol, const struct fat_node *dir, const uint8_t *short_name, const uint8_t *same)
{
	struct fat_slots s = fat_slots(vol, dir);
	uint8_t *slot;
	while ((slot = fat_next_slot(&s)) && slot[0] != FAT_SLOT_END)
		if (slot != same && memcmp(slot, short_name, 11) == 0 && (slot[11] & 0x3f) != FAT_ATTR_LONG)
			return true;
	return false;
}

static char folded(char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

struct clash { const char *name; size_t len; const uint8_t *same; bool found; };

static void compare_entry(void *context, const struct fat_entry *e)
{
	struct clash *clash = context;
	size_t i = 0;
	if (e->len != clash->len || e->slot == clash->same)
		return;
	while (i < e->len && folded(e->name[i]) == folded(clash->name[i]))
		i++;
	clash->found |= i == e->len;
}

int fat_add_entry(struct fat_volume *vol, const struct fat_node *dir, const char *name, size_t len, const uint8_t *same, uint8_t **slot)
{
	struct clash clash = { name, len, same, false };
	struct fat_stored stored;
	uint8_t *room[ENTRY_SLOTS];
	int error = fat_store_name(&stored, name, len);
	if (!error)
		error = fat_scan(vol, dir, compare_entry, &clash);
	if (error || clash.found)
		return error ? error : -EEXIST;
	for (unsigned n = 0; is_taken(vol, dir, stored.short_name, same); n++) {
		if (n == VARIATIONS)
			return -ENOSPC;
		fat_vary_name(&stored, name, len, n);
	}
	error = find_room(vol, dir, stored.slots, room);
	if (error)
		return error;
	for (unsigned i = 0; i < stored.slots; i++)
		fat_fill_slot(&stored, i, room[i]);
	*slot = room[stored.slots - 1];
	return 0;
}

/* ---- changes ----------------------------------------------------------------------------------------------------------- */

void fat_remove_entry(struct fat_volume *vol, const struct fat_node *dir, uint8_t *slot)
{
	struct fat_slots s = fat_slots(vol, dir), first = s;
	uint8_t *at;
	for (struct fat_slots before = s; (at = fat_next_slot(&s)) && at != slot; before = s)
		if (at[0] == FAT_SLOT_FREE || (at[11] & 0x3f) != FAT_ATTR_LONG)
			first = s;			/* what comes next may be the first slot of a long name */
		else if (at[0] & 0x40)
			first = before;
	while (at && (at = fat_next_slot(&first))) {
		at[0] = FAT_SLOT_FREE;
		if (at == slot)
			break;
	}
}

static void put_start(uint8_t *slot, uint32_t start)
{
	fat_put16(slot + 26, start);
	fat_put16(slot + 20, start >> 16);
}

void fat_update_entry(const struct fat_node *n)
{
	uint8_t *slot = n->slot;
	if (!slot)
		return;
	bool directory = S_ISDIR(n->mode);
	put_start(slot, n->start);
	fat_put32(slot + 28, directory ? 0 : n->size);
	slot[11] = (slot[11] & ~FAT_ATTR_READ_ONLY) | (directory ? FAT_ATTR_DIRECTORY : FAT_ATTR_ARCHIVE);
	if (!(n->mode & 0222))
		slot[11] |= FAT_ATTR_READ_ONLY;
	fat_put_time(slot, n->mtime);
	memcpy(slot + 18, slot + 24, 2);		/* the day of the last access */
	if (fat_get16(slot + 16) == 0)			/* it is new */
		memcpy(slot + 14, slot + 22, 4);
}

void fat_move_dots(struct fat_volume *vol, const struct fat_node *n)
{
	uint8_t *slot = vol->image + fat_offset(vol, n->start) + FAT_SLOT;
	if (memcmp(slot, "..         ", 11) == 0)
		put_start(slot, n->parent == &vol->root ? 0 : n->parent->start);
}

void fat_write_dots(struct fat_volume *vol, const struct fat_node *n)
{
	uint8_t *slot = vol->image + fat_offset(vol, n->start);
	memcpy(slot, ".          ", 11);
	memcpy(slot + FAT_SLOT, "..         ", 11);
	for (unsigned i = 0; i < 2; i++, slot += FAT_SLOT) {
		slot[11] = FAT_ATTR_DIRECTORY;
		put_start(slot, n->start);
		fat_put_time(slot, n->mtime);
		memcpy(slot + 14, slot + 22, 4);
		memcpy(slot + 18, slot + 24, 2);
	}
	fat_move_dots(vol, n);
}
