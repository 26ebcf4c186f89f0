/*
 * fs/fat.h - FAT12, FAT16 and FAT32 with long names, in an image that lies in memory; read and written.
 *
 *   fat.c         mount and the vnode operations on one file
 *   fat_volume.c  geometry, the table, which cluster follows which, clusters given out and taken back
 *   fat_name.c    names on disk, short and long, to UTF-8 and back
 *   fat_slot.c    entries on disk: room for them, written and removed
 *   fat_dir.c     a directory, read once into nodes
 *   fat_change.c  create, unlink, rename
 *   fat_meta.c    the manifest: what FAT cannot carry (docs/image.md)
 *   fat_file.c    contents of files: the pager, and their size
 *
 * The image is hostile until it is checked.  The mount refuses what does not fit together, and finds in one pass over the table which clusters
 * have a predecessor.  A chain is good when its first cluster has none and no cluster of it has two: such chains neither meet nor form a
 * circle, so every walk ends, and each cluster belongs to one file.  What is not good gives -EIO.
 *
 * A directory's entries become nodes when it is first looked into, and stay.  A file's vnode and object come and go with their users; a removed
 * node, and its clusters, go with the last of those.
 *
 * Every change is made in the image at once, in an order that leaves it consistent whenever no call is in progress; only pages that are copies of
 * the image's bytes are written back later (vm/writeback.c).
 *
 * Locks: vnode->lock of a directory (its entries) or a file (its size), volume->tree (mutex: nodes, vnodes of nodes, chains of directories and the
 * manifest), object->lock, volume->chains (spinlock: the table, starts that are claimed, entries on disk; of a node: file, slot, start, size, mtime, removed, and
 * vnodes as they go; cluster maps of files).  What stat tells of a node is read without a lock, a word at a time.
 * An object's last reference and its release follow each other without a sleep: who meets it in between spins until it has gone.
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
struct file_ops;

struct fat_node {
	struct list order;		/* in the directory's entries, by position */
	struct fat_node *chain;		/* next in the hash chain of the directory */
	struct fat_node *parent;	/* the root's is the root; of a removed node: nothing */
	const char *name;		/* not NUL-terminated; text, or of its own */
	union {
		struct fat_dir *dir;	/* entries of a directory; NULL: not read yet */
		struct fat_file *file;	/* of a regular file: lives as long as its object; else NULL */
		const char *target;	/* of a symbolic link, size bytes */
	};
	struct vnode *vnode;		/* while it is in use; holds no reference; tree */
	unsigned vnodes;		/* that have not been released: this one, and those that are on their way out */
	uint8_t *slot;			/* its short entry on disk; NULL: the root, removed, or in the manifest alone */
	int64_t mtime;			/* seconds since 1970 */
	uint32_t start;			/* first cluster; 0: none; of a device: its number */
	uint32_t size;			/* bytes */
	uint32_t uid, gid, ino;
	uint32_t line;			/* where its line begins in the manifest; 0: it has none */
	uint32_t pos;			/* for readdir */
	uint16_t mode;			/* type and permissions */
	uint8_t name_len;
	bool removed;			/* it has no name (any more) */
	char text[];			/* its first name, the target */
};

struct fat_dir {
	struct list entries;
	struct fat_node **bucket;	/* mask + 1 */
	unsigned count, mask;
	uint32_t next_pos;		/* grows with each new entry */
};

struct fat_volume {
	struct mount mount;
	uint8_t *image;
	pfn_t first_frame;		/* of the image; PFN_NONE: it is not frame-aligned */
	uint8_t *table;			/* the FAT in use, the first of `tables` that are alike */
	unsigned tables;
	size_t table_bytes;		/* of each */
	unsigned table_bits;		/* of one entry: 12, 16, 32 */
	uint32_t clusters;		/* numbered from 2 */
	uint32_t free_clusters;
	uint8_t *free_told;		/* where FAT32 keeps that number, or NULL */
	uint32_t next_free;		/* where the next free cluster is looked for, counted from the first */
	uint32_t last_ino;
	uint32_t *hidden;		/* for each cluster: its entry if that is hidden, else 0; NULL: none has been; chains */
	uint32_t hidden_clusters;
	unsigned cluster_shift;
	uint64_t data;			/* offset of cluster 2 in the image */
	uint64_t root_offset;		/* FAT12, FAT16: the root directory's place and size; FAT32: size 0 */
	size_t root_size;
	uint8_t *linked;		/* a bit for each cluster: has a predecessor, or is the start of a node */
	uint8_t *crossed;		/* a bit for each cluster: has two predecessors; NULL: none has */
	struct fat_meta *meta;		/* NULL: none */
	struct mutex tree;
	struct spinlock chains;
	struct fat_node root;
};

static inline struct fat_volume *fat_volume_of(const struct vnode *v) { return v->mount->data; }

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
/* Takes the chain that starts here for one node; false: it is not a chain, or another's.  unclaim: gives it back unread. */
bool fat_claim(struct fat_volume *, uint32_t start);
void fat_unclaim(struct fat_volume *, uint32_t start);
/* volume->chains held.  A cluster of zeros behind `last`, the end of its chain (0: begins a chain); 0: none is free. */
uint32_t fat_append(struct fat_volume *, uint32_t last);
/* volume->chains held.  Frees the chain from c on (below 2: nothing); or what comes behind `last`, which becomes the end. */
void fat_free_chain(struct fat_volume *, uint32_t c);
void fat_cut_chain(struct fat_volume *, uint32_t last);
/* volume->chains held.  The chain from c on is free on disk from now on, but its clusters go to nobody else until they are freed.  Without memory nothing happens. */
void fat_hide_chain(struct fat_volume *, uint32_t c);
/* Byte offset of a good cluster in the image. */
static inline uint64_t fat_offset(const struct fat_volume *vol, uint32_t c)
{
	return vol->data + ((uint64_t)(c - 2) << vol->cluster_shift);
}
static inline unsigned fat_get16(const uint8_t *p) { return p[0] | p[1] << 8; }
static inline uint32_t fat_get32(const uint8_t *p) { return fat_get16(p) | (uint32_t)fat_get16(p + 2) << 16; }
static inline void fat_put16(uint8_t *p, unsigned value) { p[0] = value, p[1] = value >> 8; }
static inline void fat_put32(uint8_t *p, uint32_t value) { fat_put16(p, value), fat_put16(p + 2, value >> 16); }

/* fat_name.c */
enum { FAT_NAME_MAX = 255, FAT_LONG_UNITS = 260, FAT_SLOT = 32 };
enum { FAT_ATTR_READ_ONLY = 1, FAT_ATTR_VOLUME = 8, FAT_ATTR_DIRECTORY = 16, FAT_ATTR_ARCHIVE = 32, FAT_ATTR_LONG = 15 };
enum { FAT_SLOT_END = 0, FAT_SLOT_FREE = 0xe5 };	/* first bytes */
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
/* A name for the disk: the short one, and the units of the long one in `slots` - 1 slots before it. */
struct fat_stored { uint8_t short_name[11]; unsigned slots, units; uint16_t unit[FAT_LONG_UNITS]; };
/* Makes it: 0; -EINVAL: a name that FAT cannot hold, as Linux's vfat sees it.  len is FAT_NAME_MAX at most. */
int fat_store_name(struct fat_stored *, const char *name, size_t len);
/* The n-th other short name for it, when the ones before are taken. */
void fat_vary_name(struct fat_stored *, const char *name, size_t len, unsigned n);
/* Fills slot number i of it, counted from the first: name fields and checksum only. */
void fat_fill_slot(const struct fat_stored *, unsigned i, uint8_t *slot);

/* fat_slot.c */
/* Goes through the slots of a directory, used or not; NULL: there are no more, `broken`: its chain is not good. */
struct fat_slots { struct fat_volume *vol; uint32_t cluster; uint8_t *at, *end; bool broken; };
struct fat_slots fat_slots(struct fat_volume *, const struct fat_node *dir);
uint8_t *fat_next_slot(struct fat_slots *);
/*
 * Writes an entry of this name, all else zero, into the directory, which grows if it must: its short slot in *slot.  `same`: the short slot of an entry that may
 * differ in case alone, or NULL.  -EEXIST: so does another one; -ENOSPC, -EIO, and those of fat_store_name.  volume->tree held.
 */
int fat_add_entry(struct fat_volume *, const struct fat_node *dir, const char *name, size_t len, const uint8_t *same, uint8_t **slot);
/* Removes an entry, with its long name, from disk. */
void fat_remove_entry(struct fat_volume *, const struct fat_node *dir, uint8_t *slot);
/* Writes what its entry says of the node: start, size, time, whether it can be written.  volume->chains held.  Of a node without an entry: nothing. */
void fat_update_entry(const struct fat_node *);
/* The '.' and '..' of a new directory; move: '..' leads to another parent now. */
void fat_write_dots(struct fat_volume *, const struct fat_node *);
void fat_move_dots(struct fat_volume *, const struct fat_node *);

/* fat_dir.c */
/* One entry of a directory on disk. */
struct fat_entry { uint8_t *slot; const char *name; size_t len; };
typedef void (*fat_entry_fn)(void *context, const struct fat_entry *);
/* Calls fn for each entry but volume labels and dots; -EIO: the directory's chain is not good (some calls were made). */
int fat_scan(struct fat_volume *, const struct fat_node *dir, fat_entry_fn, void *context);
static inline uint32_t fat_entry_start(const struct fat_volume *vol, const uint8_t *slot)
{
	return fat_get16(slot + 26) | (vol->table_bits == 32 ? (uint32_t)fat_get16(slot + 20) << 16 : 0);
}
/* When an entry was written: seconds since 1970, its date and time taken as UTC; nonsense gives some time, not an error. */
int64_t fat_time(const uint8_t *slot);
void fat_put_time(uint8_t *slot, int64_t seconds);
/* A node that is in no directory yet, with room for `extra` bytes behind its name; NULL: no memory. */
struct fat_node *fat_node_create(struct fat_volume *, struct fat_node *parent, const char *name, size_t len, size_t extra);
void fat_node_free(struct fat_node *);
/* Gives it another name, which it owns from now on; it is in no directory. */
void fat_node_rename(struct fat_node *, char *name, size_t len);
/* An empty directory in memory; NULL: no memory. */
struct fat_dir *fat_dir_create(void);
void fat_dir_enter(struct fat_dir *, struct fat_node *);
void fat_dir_leave(struct fat_dir *, struct fat_node *);
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

/* Changes in the text, which keeps its size.  Takes the line out; or gives the entry other permissions, unless the line has too few digits for them. */
void fat_meta_blank(struct fat_volume *, uint32_t line);
void fat_meta_set_mode(struct fat_volume *, uint32_t line, unsigned mode);
/* Are there lines about what the directory holds, at any depth?  1 or 0, -ENOMEM. */
int fat_meta_below(const struct fat_volume *, const struct fat_node *dir);

/* fat_file.c */
/* The object with the contents of a regular file, with a reference; volume->tree is held; NULL: no memory. */
struct object *fat_file_object(struct fat_volume *, struct fat_node *);
/* New size of a file: new bytes are zeros.  vnode->lock is held, no other.  -EFBIG, -ENOSPC, -EIO, -ENOMEM: then it is as it was. */
int fat_file_resize(struct object *, uint64_t size);
/* Reading and writing. */
extern const struct file_ops fat_file_ops;

/* fat.c */
/* The node's vnode, with a reference; volume->tree is held; NULL: no memory. */
struct vnode *fat_vnode(struct fat_volume *, struct fat_node *);
/* volume->chains held.  A user of a node, vnode or object, has gone: a removed one goes with the last of them.  Its clusters are free then. */
void fat_node_unused(struct fat_volume *, struct fat_node *);
/* Its contents or entries changed now. */
void fat_node_changed(struct fat_volume *, struct fat_node *);

/* fat_change.c: vnode_ops, see there. */
int fat_create(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out);
int fat_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int fat_rename(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *moved,
	struct vnode *to_dir, const char *to, size_t to_len, struct vnode *replaced, bool exchange);
