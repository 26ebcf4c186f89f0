/*
 * fs/fat_meta.c - the manifest: modes, owners, links, devices and names that FAT cannot carry.  docs/image.md has its format:
 *
 *     faultline-meta 1
 *     @ /bin                               the lines that follow are about entries of /bin
 *     f 755 0 0 busybox                    a stored file with this mode, uid and gid
 *     f 644 0 0 a:b _FL00001               the same, stored under another name
 *     l 777 0 0 sh busybox                 a symbolic link and its target
 *
 * Directories are in byte order of their encoded paths, so that a section is found by bisection.  The text stays where it is: in the image if it
 * is in one piece there, else in a copy; an entry costs memory only when its directory is read.  All of it is checked here, once, for the
 * warnings, and each line again when it is used: it is as hostile as the rest of the image.
 *
 * The text is changed in place only: the line of an entry that is removed or renamed becomes empty, chmod writes other digits.  A renamed file has the
 * defaults at the next boot, a directory with lines below it is not renamed (-EXDEV, as overlayfs says of what lies in its lower layer).
 *
 * Lock: volume->tree for changes; each is one store a byte.
 */
#include "fs/fat.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { PATH_BYTES = 4096, TEXT_MAX = 16 << 20 };
#define META_MAGIC "faultline-meta 1\n"

struct fat_meta {
	const char *text, *end;
	char *copy;			/* the text, if it is ours */
	uint32_t start;			/* of its chain */
	unsigned sections;
	uint32_t section[];		/* offsets of the '@' lines, in order of their paths */
};

struct span { const char *at; size_t len; };

static struct span line_at(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', end - at);
	return (struct span){ at, (newline ? newline : end) - at };
}

static const char *line_after(struct span line, const char *end)
{
	return line.at + line.len < end ? line.at + line.len + 1 : end;
}

/* Takes the next field, up to a blank or the end, off the line. */
static struct span take_field(struct span *line)
{
	const char *blank = memchr(line->at, ' ', line->len);
	struct span field = { line->at, (blank ? (size_t)(blank - line->at) : line->len) };
	size_t gone = field.len + (blank != NULL);
	line->at += gone;
	line->len -= gone;
	return field;
}

static bool take_number(struct span *line, unsigned base, uint32_t max, uint32_t *value)
{
	struct span field = take_field(line);
	uint64_t n = 0;
	for (size_t i = 0; i < field.len; i++) {
		unsigned digit = (unsigned)field.at[i] - '0';
		n = n * base + digit;
		if (digit >= base || n > max)
			return false;
	}
	*value = n;
	return field.len > 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t fat_meta_decode(char *to, const char *from, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (c == '%' && len - i > 2 && hex_digit(from[i + 1]) >= 0 && hex_digit(from[i + 2]) >= 0) {
			c = hex_digit(from[i + 1]) << 4 | hex_digit(from[i + 2]);
			i += 2;
		}
		to[n++] = c;
	}
	return n;
}

static bool good_name(struct span field)
{
	char name[3 * FAT_NAME_MAX];
	if (field.len > sizeof(name))
		return false;
	size_t len = fat_meta_decode(name, field.at, field.len);
	bool dots = len <= 2 && name[0] == '.' && name[len - 1] == '.';
	return len > 0 && len <= FAT_NAME_MAX && !dots && !memchr(name, '/', len) && !memchr(name, 0, len);
}

static bool good_extra(char type, struct span extra)
{
	switch (type) {
	case 'f': case 'd':
		return extra.len == 0 || good_name(extra);
	case 'l':
		return extra.len > 0 && extra.len < PATH_BYTES && !memchr(extra.at, 0, extra.len);
	case 'p':
		return extra.len == 0;
	default:
		return true;
	}
}

bool fat_meta_device(const struct fat_meta_line *line, uint32_t *rdev)
{
	uint32_t major, minor;
	const char *colon = memchr(line->extra, ':', line->extra_len);
	if (!colon)
		return false;
	struct span left = { line->extra, colon - line->extra }, right = { colon + 1, line->extra + line->extra_len - (colon + 1) };
	if (!take_number(&left, 10, 0xfff, &major) || !take_number(&right, 10, 0xfffff, &minor))
		return false;
	*rdev = makedev64(major, minor);
	return true;
}

static bool parse_line(struct span text, struct fat_meta_line *line)
{
	struct span type = take_field(&text);
	if (type.len != 1 || !memchr("fdlcbp", type.at[0], 6))
		return false;
	line->type = type.at[0];
	if (!take_number(&text, 8, 07777, &line->mode) || !take_number(&text, 10, UINT32_MAX, &line->uid) ||
	    !take_number(&text, 10, UINT32_MAX, &line->gid))
		return false;
	struct span name = take_field(&text), extra = take_field(&text);
	line->name = name.at;
	line->name_len = name.len;
	line->extra = extra.at;
	line->extra_len = extra.len;
	uint32_t rdev;
	if (text.len > 0 || !good_name(name) || !good_extra(line->type, extra))
		return false;
	return (line->type != 'c' && line->type != 'b') || fat_meta_device(line, &rdev);
}

bool fat_meta_next(const struct fat_meta *meta, const char **at, struct fat_meta_line *line)
{
	while (*at < meta->end && **at != '@') {
		struct span text = line_at(*at, meta->end);
		*at = line_after(text, meta->end);
		line->at = text.at - meta->text;
		if (parse_line(text, line))
			return true;
	}
	return false;
}

/* The path of the section that begins at the '@' line `at`; empty: it is not one. */
static struct span section_path(const struct fat_meta *meta, const char *at)
{
	struct span line = line_at(at, meta->end);
	if (line.len < 3 || at[1] != ' ' || at[2] != '/')
		return (struct span){ at, 0 };
	return (struct span){ at + 2, line.len - 2 };
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Writes the directory's encoded path so that it ends at `end`; where it begins, or NULL: it does not fit. */
static char *encode_path(const struct fat_node *dir, char *start, char *end)
{
	char *at = end;
	for (; dir->parent != dir; dir = dir->parent) {
		for (size_t i = dir->name_len; i-- > 0;) {
			uint8_t c = dir->name[i];
			bool plain = c > ' ' && c != 0x7f && c != '%';
			if (at - start < 4)
				return NULL;
			if (plain) {
				*--at = c;
				continue;
			}
			*--at = "0123456789ABCDEF"[c & 15];
			*--at = "0123456789ABCDEF"[c >> 4];
			*--at = '%';
		}
		*--at = '/';
	}
	if (at == end)
		*--at = '/';
	return at;
}

static const char *find_section(const struct fat_meta *meta, struct span path)
{
	unsigned low = 0, high = meta->sections;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const char *at = meta->text + meta->section[middle];
		int order = compare(path, section_path(meta, at));
		if (order == 0)
			return line_after(line_at(at, meta->end), meta->end);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int fat_meta_section(const struct fat_meta *meta, const struct fat_node *dir, const char **lines)
{
	char *buffer = kmalloc(PATH_BYTES);
	if (!buffer)
		return -ENOMEM;
	char *path = encode_path(dir, buffer, buffer + PATH_BYTES);
	*lines = path ? find_section(meta, (struct span){ path, buffer + PATH_BYTES - path }) : NULL;
	kfree(buffer);
	return 0;
}

int fat_meta_below(const struct fat_volume *vol, const struct fat_node *dir)
{
	const struct fat_meta *meta = vol->meta;
	char *buffer = meta ? kmalloc(PATH_BYTES) : NULL;
	if (!buffer)
		return meta ? -ENOMEM : 0;
	char *path = encode_path(dir, buffer, buffer + PATH_BYTES);
	size_t len = path ? buffer + PATH_BYTES - path : 0;
	bool found = false;
	for (unsigned i = 0; len > 0 && i < meta->sections && !found; i++) {
		struct span section = section_path(meta, meta->text + meta->section[i]);
		struct fat_meta_line line;
		const char *at = line_after(line_at(meta->text + meta->section[i], meta->end), meta->end);
		if (section.len >= len && memcmp(section.at, path, len) == 0 && (section.len == len || section.at[len] == '/'))
			found = fat_meta_next(meta, &at, &line);
	}
	kfree(buffer);
	return found;
}

/* ---- changes ----------------------------------------------------------------------------------------------------------- */

static void put_byte(struct fat_volume *vol, uint32_t at, char byte)
{
	uint32_t c = vol->meta->start;
	for (uint32_t n = at >> vol->cluster_shift; n > 0; n--)
		c = fat_next(vol, c);
	vol->image[fat_offset(vol, c) + (at & ((1u << vol->cluster_shift) - 1))] = byte;
	if (vol->meta->copy)
		vol->meta->copy[at] = byte;
}

void fat_meta_blank(struct fat_volume *vol, uint32_t line)
{
	struct span text = line_at(vol->meta->text + line, vol->meta->end);
	for (size_t i = 0; i < text.len; i++)
		put_byte(vol, line + i, '\n');
}

void fat_meta_set_mode(struct fat_volume *vol, uint32_t line, unsigned mode)
{
	struct span rest = line_at(vol->meta->text + line, vol->meta->end);
	take_field(&rest);
	uint32_t at = rest.at - vol->meta->text;
	struct span field = take_field(&rest);
	if (mode >> 3 * field.len != 0)
		return;
	for (size_t i = field.len; i-- > 0; mode >>= 3)
		put_byte(vol, at + i, '0' + (mode & 7));
}

void fat_meta_free(struct fat_meta *meta)
{
	if (meta)
		kfree(meta->copy);
	kfree(meta);
}

/* The text of the file that starts here: in the image if it is in one piece there, else in *copy; NULL: see *err. */
static const char *chain_text(const struct fat_volume *vol, uint32_t start, size_t size, char **copy, int *err)
{
	size_t cluster = (size_t)1 << vol->cluster_shift, pieces = 1;
	uint32_t c = start;
	*err = -EIO;
	for (size_t at = cluster; at < size; at += cluster) {
		uint32_t next = fat_next(vol, c);
		if (next < 2)
			return NULL;
		pieces += next != c + 1;
		c = next;
	}
	*err = 0;
	if (pieces == 1)
		return (const char *)vol->image + fat_offset(vol, start);
	*copy = kmalloc(size);
	if (!*copy) {
		*err = -ENOMEM;
		return NULL;
	}
	c = start;
	for (size_t at = 0; at < size; at += cluster, c = fat_next(vol, c))
		memcpy(*copy + at, vol->image + fat_offset(vol, c), size - at < cluster ? size - at : cluster);
	return *copy;
}

/* Finds the sections and checks every line; section NULL: only counts them.  => the number of good sections; *wrong: lines that are not good. */
static unsigned index_sections(const struct fat_meta *meta, uint32_t *section, unsigned *wrong)
{
	struct span last = { "", 0 };
	unsigned count = 0;
	*wrong = 0;
	for (const char *at = meta->text + strlen(META_MAGIC); at < meta->end;) {
		struct span text = line_at(at, meta->end), path = section_path(meta, at);
		struct fat_meta_line line;
		if (*at != '@') {
			*wrong += text.len > 0 && !parse_line(text, &line);
		} else if (path.len > 0 && compare(last, path) < 0) {
			if (section)
				section[count] = at - meta->text;
			count++;
			last = path;
		} else {
			++*wrong;
		}
		at = line_after(text, meta->end);
	}
	return count;
}

static int build_index(struct fat_volume *vol, uint32_t start, const char *text, size_t size, char *copy)
{
	struct fat_meta whole = { .text = text, .end = text + size };
	unsigned wrong, sections = index_sections(&whole, NULL, &wrong);
	struct fat_meta *meta = kmalloc(sizeof(*meta) + sections * sizeof(meta->section[0]));
	if (!meta)
		return -ENOMEM;
	*meta = (struct fat_meta){ .text = text, .end = text + size, .copy = copy, .start = start, .sections = sections };
	index_sections(meta, meta->section, &wrong);
	vol->meta = meta;
	if (wrong)
		kprintf("fat: %u lines of the image's manifest are not understood: defaults are used\n", wrong);
	return 0;
}

struct search { uint32_t start, size; bool found; struct fat_volume *vol; };

static void match_manifest(void *context, const struct fat_entry *e)
{
	struct search *s = context;
	if (s->found || e->slot[11] & FAT_ATTR_DIRECTORY || e->len != strlen(FAT_META_NAME) || memcmp(e->name, FAT_META_NAME, e->len) != 0)
		return;
	*s = (struct search){ fat_entry_start(s->vol, e->slot), fat_get32(e->slot + 28), true, s->vol };
	s->vol->root.mtime = fat_time(e->slot);		/* the root has no entry that says its own */
}

int fat_meta_load(struct fat_volume *vol)
{
	struct search s = { .vol = vol };
	if (fat_scan(vol, &vol->root, match_manifest, &s) || !s.found)
		return 0;
	char *copy = NULL;
	int err = -EIO;
	const char *text = NULL;
	if (s.size >= strlen(META_MAGIC) && s.size <= TEXT_MAX && fat_claim(vol, s.start))
		text = chain_text(vol, s.start, s.size, &copy, &err);
	if (text && memcmp(text, META_MAGIC, strlen(META_MAGIC)) == 0)
		err = build_index(vol, s.start, text, s.size, copy);
	else if (err != -ENOMEM)
		err = -EIO;
	if (err)
		kfree(copy);
	if (err == -EIO)
		kprintf("fat: the image's manifest is damaged: its links, modes and names are lost\n");
	return err == -ENOMEM ? err : 0;
}
