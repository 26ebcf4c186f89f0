/*
 * fs/fat_volume.c - the geometry of a FAT volume, and its table: chains grow and shrink here.
 *
 * The layout is that of Microsoft's "FAT: General Overview of On-Disk Format" (1.03): boot sector and reserved sectors, the tables, the root
 * directory (FAT12 and FAT16), the data in clusters numbered from 2.
 *
 * fat_survey reads the table once.  A cluster that two entries name is crossed; a chain may begin only where no entry points.  Both bits together
 * make chains disjoint trees without branches: no circle can be entered (fs/fat.h).
 *
 * A cluster is free if its entry is 0 and nothing leads to it; on a damaged volume a chain may run into an entry of 0, and that cluster is its last.
 * It is given out only when its frames are no page's of an object: a mapping or a pin may outlive the file that a page was borrowed for.
 * A removed file that is in use keeps its clusters, but on disk they are free: its chain is hidden, in memory alone.
 * Every copy of the table is written, and FAT32's count of free clusters, so that the image is consistent after every change.
 */
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/heap.h"

static bool bit_test(const uint8_t *bits, uint32_t n) { return bits[n / 8] >> n % 8 & 1; }
static void bit_set(uint8_t *bits, uint32_t n) { bits[n / 8] |= 1 << n % 8; }

static void bit_clear(uint8_t *bits, uint32_t n) { bits[n / 8] &= ~(1 << n % 8); }

static bool is_cluster(const struct fat_volume *vol, uint32_t c) { return c >= 2 && c - 2 < vol->clusters; }

static bool is_hidden_cluster(const struct fat_volume *vol, uint32_t c) { return vol->hidden && c >= 2 && vol->hidden[c - 2]; }

static uint32_t table_entry(const struct fat_volume *vol, uint32_t c)
{
	if (is_hidden_cluster(vol, c))
		return vol->hidden[c - 2];
	if (vol->table_bits == 16)
		return fat_get16(vol->table + 2 * (size_t)c);
	if (vol->table_bits == 32)
		return fat_get32(vol->table + 4 * (size_t)c) & 0x0fffffff;
	unsigned pair = fat_get16(vol->table + c + c / 2);
	return c % 2 ? pair >> 4 : pair & 0xfff;
}

/* The lowest of the values that end a chain: the last eight. */
static uint32_t end_mark(const struct fat_volume *vol)
{
	return vol->table_bits == 32 ? 0x0ffffff8 : vol->table_bits == 16 ? 0xfff8 : 0xff8;
}

uint32_t fat_next(const struct fat_volume *vol, uint32_t c)
{
	uint32_t next = table_entry(vol, c);
	if (is_cluster(vol, next))
		return vol->crossed && bit_test(vol->crossed, next - 2) ? FAT_BROKEN : next;
	return next >= end_mark(vol) ? FAT_END : FAT_BROKEN;
}

/* Something leads to the cluster from now on. */
static void set_linked(struct fat_volume *vol, uint32_t c)
{
	bit_set(vol->linked, c - 2);
	vol->free_clusters -= table_entry(vol, c) == 0;
}

bool fat_claim(struct fat_volume *vol, uint32_t start)
{
	spin_lock(&vol->chains);
	bool good = is_cluster(vol, start) && !bit_test(vol->linked, start - 2);
	if (good)
		set_linked(vol, start);
	spin_unlock(&vol->chains);
	return good;
}

void fat_unclaim(struct fat_volume *vol, uint32_t start)
{
	spin_lock(&vol->chains);
	bit_clear(vol->linked, start - 2);
	vol->free_clusters += table_entry(vol, start) == 0;
	spin_unlock(&vol->chains);
}

/* ---- changes: volume->chains is held ----------------------------------------------------------------------------------- */

static void put_entry(struct fat_volume *vol, uint32_t c, uint32_t value)
{
	if (is_hidden_cluster(vol, c)) {
		vol->hidden[c - 2] = value;
		vol->hidden_clusters -= value == 0;
		return;
	}
	for (unsigned i = 0; i < vol->tables; i++) {
		uint8_t *table = vol->table + i * vol->table_bytes, *pair = table + c + c / 2;
		if (vol->table_bits == 16)
			fat_put16(table + 2 * (size_t)c, value);
		else if (vol->table_bits == 32)
			fat_put32(table + 4 * (size_t)c, (fat_get32(table + 4 * (size_t)c) & 0xf0000000) | value);
		else
			fat_put16(pair, c % 2 ? (fat_get16(pair) & 0xf) | value << 4 : (fat_get16(pair) & 0xf000) | value);
	}
}

static void put_end(struct fat_volume *vol, uint32_t c) { put_entry(vol, c, end_mark(vol) | 7); }

static void count_free(struct fat_volume *vol, int more)
{
	vol->free_clusters += more;
	if (vol->free_told)
		fat_put32(vol->free_told, vol->free_clusters + vol->hidden_clusters);
}

static bool is_free(const struct fat_volume *vol, uint32_t c)
{
	uint64_t at = fat_offset(vol, c), end = at + (1u << vol->cluster_shift);
	if (table_entry(vol, c) != 0 || bit_test(vol->linked, c - 2))
		return false;
	for (at &= ~(uint64_t)PAGE_MASK; vol->first_frame != PFN_NONE && at < end; at += PAGE_SIZE)
		if (page_type(pages[vol->first_frame + (at >> PAGE_SHIFT)]) == PAGE_RECORD)
			return false;
	return true;
}

/* The one behind `last`, else the next one since the last search. */
static uint32_t find_free(struct fat_volume *vol, uint32_t last)
{
	if (last && last - 1 < vol->clusters && is_free(vol, last + 1))
		return last + 1;
	for (uint32_t n = vol->free_clusters ? vol->clusters : 0; n > 0; n--) {
		uint32_t c = vol->next_free++ % vol->clusters + 2;
		if (is_free(vol, c))
			return c;
	}
	return 0;
}

uint32_t fat_append(struct fat_volume *vol, uint32_t last)
{
	uint32_t c = find_free(vol, last);
	if (c == 0)
		return 0;
	memset(vol->image + fat_offset(vol, c), 0, (size_t)1 << vol->cluster_shift);
	set_linked(vol, c);
	if (is_hidden_cluster(vol, last)) {
		vol->hidden[c - 2] = end_mark(vol);
		vol->hidden_clusters++;
	} else {
		put_end(vol, c);
	}
	count_free(vol, 0);
	if (last)
		put_entry(vol, last, c);
	return c;
}

void fat_hide_chain(struct fat_volume *vol, uint32_t c)
{
	if (!vol->hidden)
		vol->hidden = kzalloc(vol->clusters * sizeof(vol->hidden[0]));
	while (vol->hidden && c >= 2 && !is_hidden_cluster(vol, c)) {
		uint32_t next = fat_next(vol, c), entry = table_entry(vol, c);
		put_entry(vol, c, 0);
		vol->hidden[c - 2] = entry ? entry : 1;
		vol->hidden_clusters++;
		c = next;
	}
	count_free(vol, 0);
}

void fat_free_chain(struct fat_volume *vol, uint32_t c)
{
	while (c >= 2) {
		uint32_t next = fat_next(vol, c);
		put_entry(vol, c, 0);
		bit_clear(vol->linked, c - 2);
		count_free(vol, 1);
		c = next;
	}
}

void fat_cut_chain(struct fat_volume *vol, uint32_t last)
{
	uint32_t next = fat_next(vol, last);
	put_end(vol, last);
	fat_free_chain(vol, next);
}

/* ---- the mount --------------------------------------------------------------------------------------------------------- */

int fat_survey(struct fat_volume *vol)
{
	size_t bytes = vol->clusters / 8 + 1;
	vol->linked = kzalloc(bytes);
	if (!vol->linked)
		return -ENOMEM;
	for (uint32_t c = 2; c - 2 < vol->clusters; c++) {
		uint32_t next = table_entry(vol, c);
		if (is_cluster(vol, next)) {
			if (!bit_test(vol->linked, next - 2)) {
				bit_set(vol->linked, next - 2);
				continue;
			}
			if (!vol->crossed && !(vol->crossed = kzalloc(bytes)))
				return -ENOMEM;
			bit_set(vol->crossed, next - 2);
		}
	}
	for (uint32_t c = 2; c - 2 < vol->clusters; c++)
		vol->free_clusters += table_entry(vol, c) == 0 && !bit_test(vol->linked, c - 2);
	return 0;
}

static bool power_of_two(uint32_t n) { return n && !(n & (n - 1)); }

/* What the boot sector says, in sectors; offsets as the specification has them. */
struct boot_sector {
	uint32_t sector, per_cluster, reserved, tables, root_entries, table_sectors, total, flags, root_cluster, info;
	bool fat32;
};

static struct boot_sector read_boot_sector(const uint8_t *p)
{
	struct boot_sector b = {
		.sector = fat_get16(p + 11), .per_cluster = p[13], .reserved = fat_get16(p + 14), .tables = p[16],
		.root_entries = fat_get16(p + 17), .total = fat_get16(p + 19), .table_sectors = fat_get16(p + 22),
	};
	if (b.total == 0)
		b.total = fat_get32(p + 32);
	if (b.table_sectors == 0) {
		b.fat32 = true;
		b.table_sectors = fat_get32(p + 36);
		b.flags = fat_get16(p + 40);
		b.root_cluster = fat_get32(p + 44);
		b.info = fat_get16(p + 48);
	}
	return b;
}

/* All tables are alike, unless a FAT32 volume says that one alone is kept up to date. */
static bool one_table(const struct boot_sector *b) { return b->fat32 && b->flags & 0x80; }
static uint32_t active_table(const struct boot_sector *b) { return one_table(b) ? b->flags & 15 : 0; }

/* Where a FAT32 volume tells how many clusters are free: its information sector, if that is one; else NULL. */
static uint8_t *free_count(const struct fat_volume *vol, const struct boot_sector *b)
{
	uint8_t *info = vol->image + b->info * b->sector;
	bool good = b->fat32 && b->info > 0 && b->info < b->reserved && fat_get32(info) == 0x41615252 && fat_get32(info + 484) == 0x61417272;
	return good ? info + 488 : NULL;
}

const char *fat_check_geometry(struct fat_volume *vol, size_t size)
{
	if (size < 512)
		return "it is shorter than a boot sector";
	struct boot_sector b = read_boot_sector(vol->image);
	uint8_t media = vol->image[21];
	if (!power_of_two(b.sector) || b.sector < 512 || b.sector > 4096 || !power_of_two(b.per_cluster) || (media < 0xf8 && media != 0xf0))
		return "it has no FAT boot sector";
	if (b.reserved == 0 || b.tables == 0 || b.table_sectors == 0 || b.total == 0)
		return "its boot sector lacks a size";
	if ((b.root_entries == 0) != b.fat32)
		return "its boot sector does not say where the root directory is";
	if ((uint64_t)b.total * b.sector > size)
		return "it is shorter than its file system";
	uint32_t root_sectors = (b.root_entries * FAT_SLOT + b.sector - 1) / b.sector;
	uint64_t root = b.reserved + (uint64_t)b.tables * b.table_sectors, data = root + root_sectors;
	if (data >= b.total || (b.total - data) / b.per_cluster == 0)
		return "its tables leave no room for data";
	if (active_table(&b) >= b.tables)
		return "the table in use does not exist";

	vol->clusters = (b.total - data) / b.per_cluster;
	vol->table_bits = b.fat32 ? 32 : vol->clusters < 4085 ? 12 : 16;
	if (vol->clusters + 2 > end_mark(vol) - 1)
		return "it has more clusters than its tables can number";
	if (((uint64_t)vol->clusters + 2) * vol->table_bits > (uint64_t)b.table_sectors * b.sector * 8)
		return "its tables are too small for its clusters";
	vol->cluster_shift = __builtin_ctz(b.sector) + __builtin_ctz(b.per_cluster);
	vol->table = vol->image + (b.reserved + (uint64_t)active_table(&b) * b.table_sectors) * b.sector;
	vol->tables = one_table(&b) ? 1 : b.tables;
	vol->table_bytes = (size_t)b.table_sectors * b.sector;
	vol->free_told = free_count(vol, &b);
	vol->root_offset = root * b.sector;
	vol->root_size = (size_t)b.root_entries * FAT_SLOT;
	vol->data = data * b.sector;
	vol->root.start = b.root_cluster;
	return NULL;
}
