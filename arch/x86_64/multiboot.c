/*
 * arch/x86_64/multiboot.c - reading what a Multiboot2 loader says (Multiboot2 specification, 3.4: boot information format).
 *
 * The information is a list of tags, each with a type and a size, on 8-byte boundaries.  None of it is believed: a tag that does not
 * lie wholly inside ends the list, an entry that wraps around is cut, and of two entries that overlap the one that forbids wins.
 * No hardware is touched, so that the host can feed it rubbish.
 *
 * => boot only, one processor, no locks.
 */
#include "arch/x86_64/multiboot.h"
#include "vm/physmap.h"
#include "lib/string.h"

enum tag_type { TAG_END = 0, TAG_CMDLINE = 1, TAG_LOADER = 2, TAG_MODULE = 3, TAG_BASIC_MEMORY = 4, TAG_MEMORY_MAP = 6, TAG_OLD_ACPI = 14, TAG_ACPI = 15 };
enum { MEMORY_USABLE = 1 };

struct tag { uint32_t type, size; };
struct tag_module { struct tag tag; uint32_t start, end; };
struct tag_basic_memory { struct tag tag; uint32_t lower_kib, upper_kib; };
struct tag_memory_map { struct tag tag; uint32_t entry_size, entry_version; };
struct memory_entry { uint64_t base, length; uint32_t type, zero; };

enum { INFO_HEADER = 8, CMDLINE_MAX = 4096, LOADER_MAX = 64, ACPI_MAX = 36 };

static char cmdline[CMDLINE_MAX], loader[LOADER_MAX];
static unsigned char acpi[ACPI_MAX];
static size_t acpi_size;

struct reader {
	const unsigned char *at, *end;		/* what is left */
	bool complete;				/* the end tag was seen */
};

static struct reader reader(const void *info, size_t size)
{
	struct reader r = { (const unsigned char *)info, (const unsigned char *)info, false };
	uint32_t total;

	if (size < INFO_HEADER)
		return r;
	memcpy(&total, info, sizeof total);
	if (total > size)
		total = (uint32_t)size;
	r.end = r.at + total;
	r.at += total < INFO_HEADER ? total : INFO_HEADER;
	return r;
}

/* The next tag, wholly inside the information; NULL: no more. */
static const unsigned char *next_tag(struct reader *r, struct tag *tag)
{
	const unsigned char *at = r->at;
	size_t left = (size_t)(r->end - at);

	if (left < sizeof *tag)
		return NULL;
	memcpy(tag, at, sizeof *tag);
	if (tag->type == TAG_END) {
		r->complete = true;
		return NULL;
	}
	if (tag->size < sizeof *tag || tag->size > left)
		return NULL;
	size_t step = ((size_t)tag->size + 7) & ~(size_t)7;
	r->at += step < left ? step : left;
	return at;
}

static void copy_text(char *to, size_t room, const unsigned char *tag, uint32_t size)
{
	size_t n = strnlen((const char *)tag + sizeof(struct tag), size - sizeof(struct tag));

	if (n >= room)
		n = room - 1;
	memcpy(to, tag + sizeof(struct tag), n);
	to[n] = '\0';
}

/* The end of [base, base + length), cut at the limit; base itself when nothing is left. */
static paddr_t end_of(uint64_t base, uint64_t length, paddr_t limit)
{
	if (base >= limit)
		return base;
	return length > limit - base ? limit : base + length;
}

enum pass { PASS_USABLE, PASS_TAKEN };

/* Usable entries first, then all others: what forbids wins.  Returns the number of usable entries. */
static size_t read_memory_map(const unsigned char *at, const struct tag *tag, paddr_t limit, enum pass pass)
{
	struct tag_memory_map map;
	struct memory_entry e;
	size_t usable = 0;

	if (tag->size < sizeof map)
		return 0;
	memcpy(&map, at, sizeof map);
	if (map.entry_size < sizeof e)
		return 0;
	for (size_t offset = sizeof map; offset + sizeof e <= tag->size; offset += map.entry_size) {
		memcpy(&e, at + offset, sizeof e);
		paddr_t end = end_of(e.base, e.length, limit);

		if (end <= e.base)
			continue;
		if (e.type == MEMORY_USABLE) {
			usable++;
			if (pass == PASS_USABLE)
				physmap_usable(e.base, end);
		} else if (pass == PASS_TAKEN) {
			physmap_remove(e.base, end);
		}
	}
	return usable;
}

static size_t each_memory_map(const void *info, size_t size, paddr_t limit, enum pass pass)
{
	struct reader r = reader(info, size);
	struct tag tag;
	size_t usable = 0;

	for (const unsigned char *at; (at = next_tag(&r, &tag)); )
		if (tag.type == TAG_MEMORY_MAP)
			usable += read_memory_map(at, &tag, limit, pass);
	return usable;
}

/* The old way: so many KiB from 0, and so many from 1 MiB. */
static bool basic_memory(const void *info, size_t size, paddr_t limit)
{
	struct reader r = reader(info, size);
	struct tag_basic_memory basic;
	struct tag tag;

	for (const unsigned char *at; (at = next_tag(&r, &tag)); ) {
		if (tag.type != TAG_BASIC_MEMORY || tag.size < sizeof basic)
			continue;
		memcpy(&basic, at, sizeof basic);
		physmap_usable(0, end_of(0, (uint64_t)basic.lower_kib << 10, (paddr_t)640 << 10));
		physmap_usable((paddr_t)1 << 20, end_of((paddr_t)1 << 20, (uint64_t)basic.upper_kib << 10, limit));
		return true;
	}
	return false;
}

static void read_module(const unsigned char *at, const struct tag *tag, struct boot_info *boot)
{
	struct tag_module module;

	if (tag->size < sizeof module)
		return;
	memcpy(&module, at, sizeof module);
	if (module.start >= module.end)
		return;
	physmap_reserve(module.start, module.end);
	if (boot->image_size == 0 && (module.end <= boot->kernel_start || module.start >= boot->kernel_end)) {
		boot->image = module.start;
		boot->image_size = module.end - module.start;
	}
}

/* The root pointer of the ACPI tables; of two the longer one. */
static void read_acpi(const unsigned char *at, const struct tag *tag)
{
	size_t size = tag->size - sizeof *tag;

	if (size > ACPI_MAX)
		size = ACPI_MAX;
	if (size <= acpi_size)
		return;
	acpi_size = size;
	memcpy(acpi, at + sizeof *tag, size);
}

/* Texts, modules, tables; true if the list was sound to its end. */
static bool read_rest(const void *info, size_t size, struct boot_info *boot)
{
	struct reader r = reader(info, size);
	struct tag tag;

	for (const unsigned char *at; (at = next_tag(&r, &tag)); ) {
		if (tag.type == TAG_CMDLINE)
			copy_text(cmdline, sizeof cmdline, at, tag.size);
		else if (tag.type == TAG_LOADER)
			copy_text(loader, sizeof loader, at, tag.size);
		else if (tag.type == TAG_MODULE)
			read_module(at, &tag, boot);
		else if (tag.type == TAG_OLD_ACPI || tag.type == TAG_ACPI)
			read_acpi(at, &tag);
	}
	return r.complete;
}

const char *multiboot_parse(const void *info, size_t size, paddr_t limit, struct boot_info *boot)
{
	enum { REAL_MODE_PAGE = 4096 };			/* interrupt vectors and BIOS data, which a later processor start may want */
	size_t n;

	cmdline[0] = loader[0] = '\0';
	acpi_size = 0;
	*boot = (struct boot_info){ .cmdline = cmdline, .loader = loader, .kernel_start = boot->kernel_start, .kernel_end = boot->kernel_end };

	if (each_memory_map(info, size, limit, PASS_USABLE) == 0) {
		if (!basic_memory(info, size, limit))
			return "the boot loader says nothing about memory";
		boot->memory_warning = "no memory map: the size that the BIOS reported is believed";
	}
	each_memory_map(info, size, limit, PASS_TAKEN);
	physmap_reserve(0, REAL_MODE_PAGE);
	physmap_reserve(boot->kernel_start, boot->kernel_end);
	if (!read_rest(info, size, boot))
		boot->memory_warning = "the boot information is cut off";
	if (physmap_forgotten() > 0)
		boot->memory_warning = "the memory map has too many pieces: some memory is not used";
	physmap_free(&n);
	return n == 0 ? "the memory map has no usable memory" : NULL;
}

size_t multiboot_acpi(const void **to)
{
	*to = acpi;
	return acpi_size;
}
