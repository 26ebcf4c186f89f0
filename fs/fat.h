/*
 * fs/fat.h - FAT12, FAT16 and FAT32 with long names, read from an image that lies in memory.
 *
 *   fat.c         mount and the vnode operations
 *   fat_volume.c  geometry, the table, which cluster follows which
 *   fat_name.c    names on disk, short and long, to UTF-8
 *   fat_dir.c     a directory, read once into nodes
 *   fat_meta.c    the manifest: what FAT cannot carry (docs/image.md)
 *   fat_file.c    contents of files: the pager
 *
 * The image is hostile until it is checked.  The mount refuses what does not fit together, and finds in one pass over the table which clusters
 * have a predecessor.  A chain is good when its first cluster has none and no cluster of it has two: such chains neither meet nor form a
 * circle, so every walk ends, and each cluster belongs to one file.  What is not good gives -EIO.
 *
 * A directory's entries become nodes when it is first looked into, and stay.  A file's vnode and object come and go with their users.
 *
 * Locks: vnode->lock of a directory, volume->tree (mutex: nodes, vnodes of nodes, starts that are claimed), object->lock, volume->maps (spinlock:
 * node->file, and a file's cluster map while it is built).  Geometry and table do not change after the mount.  An object's last reference
 * and its release follow each other without a sleep: on one processor nobody meets it in between.
 */
#pragma once
#include "fs/mount.h"

/* How file contents are read: boot argument pager=, /proc/sys/vm/pager.  A plain word, read once for each page. */
enum pager_mode {
	PAGER_NORMAL,
	PAGER_SLOW,		/* nothing is mapped in place; each read lets others run first */
	PAGER_EIO,		/* nothing is mapped in place; reads of files without any execute permission fail */
};
extern unsigned fat_pager_mode;
void pager_pause(void);		/* upcall (kernel/sched.c): lets other threads run */

struct fat_dir;
struct fat_file;
struct fat_meta;

struct fat_node {
	struct fat_node *parent;	/* the root's is the root */
	struct fat_node *chain;		/* next in the hash chain of the directory */
	const char *name;		/* not NUL-terminated; in the directory's block */
	union {
		struct fat_dir *dir;	/* entries of a directory; NULL: not read yet */
		struct fat_file *file;	/* of a regular file: lives as long as its object; else NULL; volume->maps */
		const char *target;	/* of a symbolic link, size bytes */
	};
	struct vnode *vnode;		/* while it is in use; holds no reference */
	int64_t mtime;			/* seconds since 1970 */
	uint32_t start;			/* first cluster; 0: none; of a device: its number */
	uint32_t size;			/* bytes */
	uint32_t uid, gid, ino;
	uint16_t mode;			/* type and permissions */
	uint8_t name_len;
};

/* One block of the heap: nodes, hash buckets, text of names and targets. */
struct fat_dir {
	unsigned count, mask;		/* nodes; buckets - 1 */
	struct fat_node **bucket;
	struct fat_node node[];
};

struct fat_volume {
	struct mount mount;
	const uint8_t *image;
	pfn_t first_frame;		/* of the image; PFN_NONE: it is not frame-aligned */
	const uint8_t *table;		/* the FAT in use */
	unsigned table_bits;		/* of one entry: 12, 16, 32 */
	uint32_t clusters;		/* numbered from 2 */
	uint32_t free_clusters;
	unsigned cluster_shift;
	uint64_t data;			/* offset of cluster 2 in the image */
	uint64_t root_offset;		/* FAT12, FAT16: the root directory's place and size; FAT32: size 0 */
	size_t root_size;
	uint8_t *linked;		/* a bit for each cluster: has a predecessor, or is the start of a node */
	uint8_t *crossed;		/* a bit for each cluster: has two predecessors; NULL: none has */
	struct fat_meta *meta;		/* NULL: none */
	struct mutex tree;
	struct spinlock maps;
	struct fat_node root;
};

/* The reverse of fat_mount, with no vnode of it in use. */
void fat_unmount(struct mount *);

/* fat_volume.c */
/* Checks the boot sector and sets the geometry: NULL, or why not.  vol->image is set. */
const char *fat_check_geometry(struct fat_volume *, size_t size);
/* Fills linked, crossed and free_clusters; -ENOMEM. */
int fat_survey(struct fat_volume *);
/* The cluster after c, which is good; FAT_END, or FAT_BROKEN. */
enum { FAT_END = 0, FAT_BROKEN = 1 };
uint32_t fat_next(const struct fat_volume *, uint32_t c);
/* Takes the chain that starts here for one node; false: it is not a chain, or another's.  Takes volume->tree's word for it. */
bool fat_claim(struct fat_volume *, uint32_t start);
/* Byte offset of a good cluster in the image. */
static inline uint64_t fat_offset(const struct fat_volume *vol, uint32_t c)
{
	return vol->data + ((uint64_t)(c - 2) << vol->cluster_shift);
}
static inline unsigned fat_get16(const uint8_t *p) { return p[0] | p[1] << 8; }
static inline uint32_t fat_get32(const uint8_t *p) { return fat_get16(p) | (uint32_t)fat_get16(p + 2) << 16; }

/* fat_name.c */
enum { FAT_NAME_MAX = 255, FAT_LONG_UNITS = 260, FAT_SLOT = 32 };
enum { FAT_ATTR_READ_ONLY = 1, FAT_ATTR_VOLUME = 8, FAT_ATTR_DIRECTORY = 16, FAT_ATTR_LONG = 15 };
/* The long name that the slots before a short entry have told so far. */
struct fat_long {
	uint16_t unit[FAT_LONG_UNITS];
	unsigned units;			/* in all slots; 0: there is none */
	unsigned missing;		/* slots still to come */
	uint8_t checksum;
};
void fat_long_add(struct fat_long *, const uint8_t *slot);
/* The name of the short entry `slot`, long when `name` belongs to it; into to[FAT_NAME_MAX]; its length, 0: an entry that has no name. */
size_t fat_name(const struct fat_long *, const uint8_t *slot, char *to);

/* fat_dir.c */
/* One entry of a directory on disk. */
struct fat_entry { const uint8_t *slot; const char *name; size_t len; };
typedef void (*fat_entry_fn)(void *context, const struct fat_entry *);
/* Calls fn for each entry but volume labels and dots; -EIO: the directory's chain is not good (some calls were made). */
int fat_scan(struct fat_volume *, const struct fat_node *dir, fat_entry_fn, void *context);
static inline uint32_t fat_entry_start(const struct fat_volume *vol, const uint8_t *slot)
{
	return fat_get16(slot + 26) | (vol->table_bits == 32 ? (uint32_t)fat_get16(slot + 20) << 16 : 0);
}
/* When an entry was written: seconds since 1970, its date and time taken as UTC; nonsense gives some time, not an error. */
int64_t fat_time(const uint8_t *slot);
/* Reads the directory into nodes, if it has not been; volume->tree is held; -EIO, -ENOMEM. */
int fat_dir_load(struct fat_volume *, struct fat_node *dir);
/* A loaded directory's entry of exactly this name, or NULL. */
struct fat_node *fat_dir_find(const struct fat_dir *, const char *name, size_t len);
void fat_dir_free(struct fat_dir *);

/* fat_meta.c */
#define FAT_META_NAME ".faultline-meta"
/* One line of the manifest; name and extra still encoded. */
struct fat_meta_line {
	char type;			/* f d l c b p */
	uint32_t at;			/* where it begins in the manifest */
	uint32_t mode, uid, gid;
	const char *name, *extra;
	size_t name_len, extra_len;
};
/* Reads the image's manifest into volume->meta; says on the console what is wrong with it.  -ENOMEM. */
int fat_meta_load(struct fat_volume *);
void fat_meta_free(struct fat_meta *);
/* Where the lines of this directory begin, or NULL: there are none.  -ENOMEM. */
int fat_meta_section(const struct fat_meta *, const struct fat_node *dir, const char **lines);
/* The next good line of the section; false: it is over.  *at moves on. */
bool fat_meta_next(const struct fat_meta *, const char **at, struct fat_meta_line *);
/* Decodes a name or a target to `to`, which has room for len bytes; returns how many it became. */
size_t fat_meta_decode(char *to, const char *from, size_t len);
/* The device number that a line of type c or b gives: MAJOR:MINOR. */
bool fat_meta_device(const struct fat_meta_line *, uint32_t *rdev);

/* fat_file.c */
/* The object with the contents of a regular file, with a reference; volume->tree is held; NULL: no memory. */
struct object *fat_file_object(struct fat_volume *, struct fat_node *);
