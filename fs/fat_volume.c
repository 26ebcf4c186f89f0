/*
 * fs/fat_volume.c - the geometry of a FAT volume, and its table.
 *
 * The layout is that of Microsoft's "FAT: General Overview of On-Disk Format" (1.03): boot sector and reserved sectors, the tables, the root
 * directory (FAT12 and FAT16), the data in clusters numbered from 2.
 *
 * fat_survey reads the table once.  A cluster that two entries name is crossed; a chain may begin only where no entry points.  Both bits together
 * make chains disjoint trees without branches: no circle can be entered (fs/fat.h).
 */
#include "fs/fat.h"
#include "vm/heap.h"

static bool bit_test(const uint8_t *bits, uint32_t n) { return bits[n / 8] >> n % 8 & 1; }
static void bit_set(uint8_t *bits, uint32_t n) { bits[n / 8] |= 1 << n % 8; }

static bool is_cluster(const struct fat_volume *vol, uint32_t c) { return c >= 2 && c - 2 < vol->clusters; }

static uint32_t table_entry(const struct fat_volume *vol, uint32_t c)
{
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

bool fat_claim(struct fat_volume *vol, uint32_t start)
{
	if (!is_cluster(vol, start) || bit_test(vol->linked, start - 2))
		return false;
	bit_set(vol->linked, start - 2);
	return true;
}

int fat_survey(struct fat_volume *vol)
{
	size_t bytes = vol->clusters / 8 + 1;
	vol->linked = kzalloc(bytes);
	if (!vol->linked)
		return -ENOMEM;
	for (uint32_t c = 2; c - 2 < vol->clusters; c++) {
		uint32_t next = table_entry(vol, c);
		if (next == 0) {
			vol->free_clusters++;
		} else if (is_cluster(vol, next)) {
			if (!bit_test(vol->linked, next - 2)) {
				bit_set(vol->linked, next - 2);
				continue;
			}
			if (!vol->crossed && !(vol->crossed = kzalloc(bytes)))
				return -ENOMEM;
			bit_set(vol->crossed, next - 2);
		}
	}
	return 0;
}

static bool power_of_two(uint32_t n) { return n && !(n & (n - 1)); }

/* What the boot sector says, in sectors; offsets as the specification has them. */
struct boot_sector {
	uint32_t sector, per_cluster, reserved, tables, root_entries, table_sectors, total, flags, root_cluster;
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
	}
	return b;
}

/* The table in use: all are alike, unless a FAT32 volume says that one alone is kept up to date. */
static uint32_t active_table(const struct boot_sector *b)
{
	return b->fat32 && b->flags & 0x80 ? b->flags & 15 : 0;
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
	vol->root_offset = root * b.sector;
	vol->root_size = (size_t)b.root_entries * FAT_SLOT;
	vol->data = data * b.sector;
	vol->root.start = b.root_cluster;
	return NULL;
}
