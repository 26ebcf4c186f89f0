/*
 * fs/fat_name.c - names on a FAT disk: 8.3 in a code page, and long names in UTF-16, both to UTF-8.
 *
 * A long name lies in slots before its short entry, last slot first, 13 units each; a checksum of the short name ties them together.  A long name
 * that does not hold together, is not UTF-16, or cannot be a name on Linux ("..", a slash) is passed over for the short one, as Linux does.
 * Short names are in upper case; two bits say that base or extension is shown in lower case.  Code page 437, FAT's default.
 *
 * A new name gets a long one, unless it is a short name as it stands; its short name has nothing but ASCII in it.
 */
#include "fs/fat.h"
#include "lib/string.h"

enum { SLOT_UNITS = 13, SLOTS_MAX = 20, LAST_SLOT = 0x40, LOWER_BASE = 8, LOWER_EXTENSION = 16 };

/* Where the units of a slot are. */
static const uint8_t unit_at[SLOT_UNITS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };

static const uint16_t codepage437[128] = {
	0xc7, 0xfc, 0xe9, 0xe2, 0xe4, 0xe0, 0xe5, 0xe7, 0xea, 0xeb, 0xe8, 0xef, 0xee, 0xec, 0xc4, 0xc5,
	0xc9, 0xe6, 0xc6, 0xf4, 0xf6, 0xf2, 0xfb, 0xf9, 0xff, 0xd6, 0xdc, 0xa2, 0xa3, 0xa5, 0x20a7, 0x0192,
	0xe1, 0xed, 0xf3, 0xfa, 0xf1, 0xd1, 0xaa, 0xba, 0xbf, 0x2310, 0xac, 0xbd, 0xbc, 0xa1, 0xab, 0xbb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0xdf, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0xb5, 0x03c4, 0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0xb1, 0x2265, 0x2264, 0x2320, 0x2321, 0xf7, 0x2248, 0xb0, 0x2219, 0xb7, 0x221a, 0x207f, 0xb2, 0x25a0, 0xa0,
};

/* Appends a character to a name of `len` bytes; the new length, or 0: the name has no room for it. */
static size_t put_utf8(char *to, size_t len, uint32_t c)
{
	unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	if (len + more >= FAT_NAME_MAX)
		return 0;
	to[len++] = lead[more] | c >> 6 * more;
	while (more-- > 0)
		to[len++] = 0x80 | (c >> 6 * more & 0x3f);
	return len;
}

void fat_long_add(struct fat_long *l, const uint8_t *slot)
{
	unsigned order = slot[0] & 0x3f;
	if (slot[0] & LAST_SLOT) {
		l->units = order <= SLOTS_MAX ? order * SLOT_UNITS : 0;
		l->missing = order;
		l->checksum = slot[13];
	}
	if (l->units == 0 || order == 0 || order != l->missing || l->checksum != slot[13]) {
		l->units = 0;
		return;
	}
	l->missing--;
	for (unsigned i = 0; i < SLOT_UNITS; i++)
		l->unit[(order - 1) * SLOT_UNITS + i] = fat_get16(slot + unit_at[i]);
}

static uint8_t short_checksum(const uint8_t *slot)
{
	uint8_t sum = 0;
	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum & 1) << 7) + (sum >> 1) + slot[i];
	return sum;
}

static bool is_name(const char *name, size_t len)
{
	return len > 0 && !(len <= 2 && name[0] == '.' && name[len - 1] == '.');
}

/* 0: it is not a name. */
static size_t long_name(const struct fat_long *l, char *to)
{
	size_t len = 0;
	for (unsigned i = 0; i < l->units && l->unit[i]; i++) {
		uint32_t c = l->unit[i];
		if (c >= 0xd800 && c < 0xdc00 && i + 1 < l->units && l->unit[i + 1] >= 0xdc00 && l->unit[i + 1] < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (l->unit[++i] - 0xdc00);
		if (c < ' ' || c == '/' || (c >= 0xd800 && c < 0xe000))
			return 0;
		len = put_utf8(to, len, c);
		if (len == 0)
			return 0;
	}
	return is_name(to, len) ? len : 0;
}

static size_t put_short(char *to, size_t len, const uint8_t *from, size_t n, bool lower)
{
	while (n > 0 && from[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = from[i] < 128 ? from[i] : codepage437[from[i] - 128];
		if (c < ' ' || c == '/')
			c = '_';
		if (lower && c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		len = put_utf8(to, len, c);
	}
	return len;
}

static size_t short_name(const uint8_t *slot, char *to)
{
	uint8_t base[8];
	memcpy(base, slot, sizeof(base));
	if (base[0] == 0x05)			/* stands for 0xe5, which marks a deleted entry */
		base[0] = 0xe5;
	size_t len = put_short(to, 0, base, 8, slot[12] & LOWER_BASE);
	if (memcmp(slot + 8, "   ", 3) != 0) {
		to[len++] = '.';
		len = put_short(to, len, slot + 8, 3, slot[12] & LOWER_EXTENSION);
	}
	return is_name(to, len) ? len : 0;
}

size_t fat_name(const struct fat_long *l, const uint8_t *slot, char *to)
{
	size_t len = 0;
	if (l->units && l->missing == 0 && l->checksum == short_checksum(slot))
		len = long_name(l, to);
	return len ? len : short_name(slot, to);
}

/* ---- to disk ----------------------------------------------------------------------------------------------------------- */

/* The next character of UTF-8 text, or one of 0x110000 and above: it is none. */
static uint32_t get_utf8(const uint8_t **at, const uint8_t *end)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c = *(*at)++;
	unsigned more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	if (more == 0)
		return c;
	if (c < 0xc0 || c >= 0xf8 || end - *at < (long)more)
		return 0x110000;
	c &= 0x3f >> more;
	for (unsigned i = 0; i < more; i++, ++*at) {
		if ((**at & 0xc0) != 0x80)
			return 0x110000;
		c = c << 6 | (**at & 0x3f);
	}
	return c < least[more] || (c >= 0xd800 && c < 0xe000) ? 0x110000 : c;
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c; }

static bool alike(const char *a, const char *b, size_t n)
{
	while (n > 0 && upper(*a) == upper(*b))
		n--, a++, b++;
	return n == 0;
}

/* A device of DOS, whatever its extension. */
static bool is_reserved(const char *name, size_t len)
{
	const char *dot = memchr(name, '.', len);
	size_t base = dot ? (size_t)(dot - name) : len;
	bool numbered = base == 4 && name[3] >= '1' && name[3] <= '9';
	if (numbered)
		return alike(name, "COM", 3) || alike(name, "LPT", 3);
	return base == 3 && (alike(name, "CON", 3) || alike(name, "PRN", 3) || alike(name, "AUX", 3) || alike(name, "NUL", 3));
}

/* Puts at most `room` characters of the name into a short name, what it cannot hold as '_'; how many. */
static size_t put_base(uint8_t *to, size_t room, const char *from, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len && n < room; i++) {
		char c = upper(from[i]);
		bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c > 0 && memchr("!#$%&'()-@^_`{}~", c, 16));
		if (c != ' ' && c != '.')
			to[n++] = plain ? c : '_';
	}
	return n;
}

/* The short name, with `tail` at the end of a base of at most `room` characters. */
static void make_short(uint8_t to[11], const char *name, size_t len, size_t room, const char *tail)
{
	size_t dot = len;
	while (dot > 1 && name[dot - 1] != '.')
		dot--;
	bool extended = dot > 1 && dot < len;		/* a dot in front is none */
	memset(to, ' ', 11);
	size_t n = put_base(to, room, name, extended ? dot - 1 : len);
	if (n == 0)
		to[n++] = '_';
	while (*tail)
		to[n++] = *tail++;
	if (extended)
		put_base(to + 8, 3, name + dot, len - dot);
}

int fat_store_name(struct fat_stored *s, const char *name, size_t len)
{
	char shown[FAT_NAME_MAX];
	uint8_t slot[FAT_SLOT] = { 0 };
	const uint8_t *at = (const uint8_t *)name, *end = at + len;
	s->units = 0;
	if (name[len - 1] == ' ' || name[len - 1] == '.' || is_reserved(name, len))
		return -EINVAL;
	while (at < end) {
		uint32_t c = get_utf8(&at, end);
		if (c < ' ' || c > 0x10ffff || (c < 0x80 && memchr("\"*:<>?|\\/\x7f", c, 10)))
			return -EINVAL;
		if (c >= 0x10000)
			s->unit[s->units++] = 0xd800 + ((c - 0x10000) >> 10);
		s->unit[s->units++] = c < 0x10000 ? c : 0xdc00 + (c & 0x3ff);
	}
	make_short(s->short_name, name, len, 8, "");
	memcpy(slot, s->short_name, 11);
	size_t n = short_name(slot, shown);
	bool whole = n == len && memcmp(shown, name, len) == 0, but_for_case = n == len && alike(shown, name, len);
	s->slots = whole ? 1 : (s->units + SLOT_UNITS - 1) / SLOT_UNITS + 1;
	if (!but_for_case)
		fat_vary_name(s, name, len, 0);
	return 0;
}

/* NAME~1 to NAME~4, then NA and four digits that depend on the name and the number, and ~1, as Windows does. */
void fat_vary_name(struct fat_stored *s, const char *name, size_t len, unsigned n)
{
	char tail[8] = "~1";
	size_t room = 6;
	if (n < 4) {
		tail[1] = '1' + n;
	} else {
		unsigned h = n;
		for (size_t i = 0; i < len; i++)
			h = h * 31 + (uint8_t)name[i];
		for (unsigned i = 0; i < 4; i++, h >>= 4)
			tail[i] = "0123456789ABCDEF"[h & 15];
		memcpy(tail + 4, "~1", 3);
		room = 2;
	}
	make_short(s->short_name, name, len, room, tail);
	s->slots = (s->units + SLOT_UNITS - 1) / SLOT_UNITS + 1;
}

void fat_fill_slot(const struct fat_stored *s, unsigned i, uint8_t *slot)
{
	unsigned order = s->slots - 1 - i;
	memset(slot, 0, FAT_SLOT);
	if (order == 0) {
		memcpy(slot, s->short_name, 11);
		return;
	}
	slot[0] = order | (i == 0 ? LAST_SLOT : 0);
	slot[11] = FAT_ATTR_LONG;
	slot[13] = short_checksum(s->short_name);
	for (unsigned k = 0; k < SLOT_UNITS; k++) {
		unsigned at = (order - 1) * SLOT_UNITS + k;
		fat_put16(slot + unit_at[k], at < s->units ? s->unit[at] : at == s->units ? 0 : 0xffff);
	}
}
