/*
 * tests/host/multiboot_drive.c - the Multiboot2 parser on any bytes, and what must hold after that.
 *
 * Whatever a loader says: the pieces of free memory are sorted and apart, not empty, below the limit and above the first page; each begins and ends
 * in an entry that says 'usable'; none of them touches the kernel, a module, or an entry that says anything else.
 */
#include <string.h>
#include "multiboot_drive.h"
#include "vm/physmap.h"

enum { MODULE = 3, BASIC_MEMORY = 4, MEMORY_MAP = 6, USABLE = 1 };

const char *drive_parse(const void *info, size_t size, paddr_t limit, struct boot_info *boot)
{
	*boot = (struct boot_info){ .kernel_start = KERNEL_START, .kernel_end = KERNEL_END };
	physmap_reset();
	return multiboot_parse(info, size, limit, boot);
}

/* ---- reading the entries, once more --------------------------------------------------------------------------------------- */

static uint64_t number(const unsigned char *at, int bytes)
{
	uint64_t n = 0;
	while (bytes--)
		n = n << 8 | at[bytes];
	return n;
}

/* What an entry or a module claims: bytes [start, end), and the type of the entry. */
struct claim { paddr_t start, end; unsigned type; };
typedef bool claim_test(const struct claim *, const void *context);

static bool in_memory_map(const unsigned char *tag, uint64_t size, claim_test *test, const void *context)
{
	uint64_t entry = size < 16 ? 0 : number(tag + 8, 4);
	bool found = false;

	for (uint64_t at = 16; entry >= 24 && at + 24 <= size; at += entry) {
		uint64_t base = number(tag + at, 8), length = number(tag + at + 8, 8);
		struct claim c = { base, length > ~base ? ~(paddr_t)0 : base + length, (unsigned)number(tag + at + 16, 4) };
		found = found || (c.start < c.end && test(&c, context));
	}
	return found;
}

static bool in_basic_memory(const unsigned char *tag, claim_test *test, const void *context)
{
	struct claim low = { 0, number(tag + 8, 4) << 10, USABLE }, high = { 1 << 20, (1 << 20) + (number(tag + 12, 4) << 10), USABLE };
	return test(&low, context) || test(&high, context);
}

/* Is there a claim for which the test holds?  Modules count as claims of type 0; `basic`: the old way of telling memory counts, too. */
static bool any_claim(const unsigned char *info, size_t size, bool basic, claim_test *test, const void *context)
{
	uint64_t total = size < 8 ? 0 : number(info, 4), tag_size;
	bool found = false;

	if (total > size)
		total = size;
	for (uint64_t at = 8; at + 8 <= total && !found; at += (tag_size + 7) & ~7ull) {
		const unsigned char *tag = info + at;
		uint64_t type = number(tag, 4);
		tag_size = number(tag + 4, 4);
		if (type == 0 || tag_size < 8 || tag_size > total - at)
			break;
		if (type == MEMORY_MAP) {
			found = in_memory_map(tag, tag_size, test, context);
		} else if (type == BASIC_MEMORY && basic && tag_size >= 16) {
			found = in_basic_memory(tag, test, context);
		} else if (type == MODULE && tag_size >= 16) {
			struct claim c = { number(tag + 8, 4), number(tag + 12, 4), 0 };
			found = c.start < c.end && test(&c, context);
		}
	}
	return found;
}

/* ---- what must hold --------------------------------------------------------------------------------------------------------- */

static bool forbids(const struct claim *c, const void *range)
{
	const struct phys_range *r = range;
	return c->type != USABLE && c->start < MEMORY_LIMIT && c->start < paddr_of(r->end) && c->end > paddr_of(r->start);
}

static bool allows(const struct claim *c, const void *frame)
{
	paddr_t at = paddr_of(*(const pfn_t *)frame);
	return c->type == USABLE && c->start <= at && c->end >= at + PAGE_SIZE;
}

static bool is_usable(const struct claim *c, const void *context)
{
	(void)context;
	return c->type == USABLE && c->start < MEMORY_LIMIT;
}

static const char *judge_range(const unsigned char *info, size_t size, const struct phys_range *r)
{
	pfn_t last = r->end - 1;
	bool basic = !any_claim(info, size, false, is_usable, NULL);

	if (r->start >= r->end)
		return "a piece is empty";
	if (r->start == 0)
		return "the first page is free";
	if (r->end > pfn_of(MEMORY_LIMIT))
		return "a piece lies beyond the limit";
	if (r->start < pfn_of(KERNEL_END) && r->end > pfn_of(KERNEL_START))
		return "the kernel is free memory";
	if (any_claim(info, size, false, forbids, r))
		return "what is taken is free memory";
	if (!any_claim(info, size, basic, allows, &r->start) || !any_claim(info, size, basic, allows, &last))
		return "a piece begins or ends where no memory is";
	return NULL;
}

const char *drive_judge(const void *info, size_t size, bool *refused)
{
	struct boot_info boot;
	const char *wrong = NULL;
	size_t n;

	*refused = drive_parse(info, size, MEMORY_LIMIT, &boot) != NULL;
	const struct phys_range *r = physmap_free(&n);
	for (size_t i = 0; i < n && !wrong; i++) {
		wrong = judge_range(info, size, &r[i]);
		if (i > 0 && r[i - 1].end > r[i].start)
			wrong = "pieces are not in order, or overlap";
	}
	if (!wrong && *refused != (n == 0))
		wrong = "refused with memory, or accepted without";
	if (!wrong && boot.image_size && boot.image < KERNEL_END && boot.image + boot.image_size > KERNEL_START)
		wrong = "the image lies over the kernel";
	if (!wrong && (!memchr(boot.cmdline, 0, 4096) || !memchr(boot.loader, 0, 64)))
		wrong = "a text has no end";
	return wrong;
}
