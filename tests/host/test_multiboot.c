/* tests/host/test_multiboot.c - arch/x86_64/multiboot.c: what a boot loader may say, true or not. */
#include "harness.h"
#include "multiboot_drive.h"
#include "vm/physmap.h"

enum { END = 0, CMDLINE = 1, LOADER = 2, MODULE = 3, BASIC_MEMORY = 4, MEMORY_MAP = 6, OLD_POINTER = 14, POINTER = 15 };
enum { USABLE = 1, RESERVED = 2, ACPI = 3, BAD = 5 };
enum { MIB = 1 << 20, ROOM = 16384, MUTATIONS = 200000 };
#define TIB ((uint64_t)1 << 40)

/* The information as it is built; start() begins it, finish() writes its end tag and its size. */
static unsigned char info[ROOM];
static size_t used;

struct entry { uint64_t base, length; uint32_t type, zero; };

static void put(const void *bytes, size_t n)
{
	assert_true(used + n <= ROOM);
	memcpy(info + used, bytes, n);
	used += n;
}

static void put32(uint32_t n)
{
	put(&n, sizeof n);
}

static void align(void)
{
	while (used % 8)
		info[used++] = 0;
}

/* A tag that says of itself that it has this size, whatever comes. */
static void tag_of_size(uint32_t type, uint32_t size)
{
	align();
	put32(type);
	put32(size);
}

static void start(void)
{
	memset(info, 0xee, sizeof info);
	used = 8;
}

static void finish_with(uint32_t total)
{
	memcpy(info, &total, sizeof total);
}

static void finish(void)
{
	tag_of_size(END, 8);
	finish_with((uint32_t)used);
}

static void memory_map(const struct entry *e, size_t n, uint32_t entry_size)
{
	tag_of_size(MEMORY_MAP, (uint32_t)(16 + n * entry_size));
	put32(entry_size);
	put32(0);
	for (size_t i = 0; i < n; i++) {
		put(&e[i], sizeof *e);
		for (uint32_t extra = sizeof *e; extra < entry_size; extra++)
			put("\xff", 1);
	}
}
#define MAP(...) do { const struct entry e_[] = { __VA_ARGS__ }; memory_map(e_, sizeof e_ / sizeof *e_, sizeof *e_); } while (0)

static void module(uint32_t from, uint32_t to)
{
	tag_of_size(MODULE, 17);
	put32(from);
	put32(to);
	put("", 1);
}

static void text(uint32_t type, const char *words)
{
	tag_of_size(type, 8 + (uint32_t)strlen(words) + 1);
	put(words, strlen(words) + 1);
}

/* Parses what was built, from a block that ends where it ends, so that the sanitizer sees a byte too far. */
static struct boot_info boot;

static const char *parse_below(paddr_t limit)
{
	unsigned char *copy = malloc(used);
	bool refused;

	memcpy(copy, info, used);
	assert_null(drive_judge(copy, used, &refused));
	const char *why = drive_parse(copy, used, limit, &boot);
	free(copy);
	return why;
}

static const char *parse(void)
{
	return parse_below(MEMORY_LIMIT);
}

#define ASSERT_FREE(...) do { \
	const struct phys_range expected_[] = { __VA_ARGS__ }; size_t n_; \
	const struct phys_range *r_ = physmap_free(&n_); \
	assert_int_equal(n_, sizeof expected_ / sizeof *expected_); \
	for (size_t i_ = 0; i_ < n_; i_++) { \
		assert_int_equal(r_[i_].start, expected_[i_].start); \
		assert_int_equal(r_[i_].end, expected_[i_].end); \
	} } while (0)

static void assert_says(const char *said, const char *part)
{
	assert_non_null(said);
	if (!strstr(said, part))
		fail_msg("said: %s", said);
}

/* ---- what a good loader says ------------------------------------------------------------------------------------------------------ */

TEST(a_usual_machine)
{
	(void)state;
	start();
	text(CMDLINE, "some words");
	text(LOADER, "GRUB 2");
	module(0x300000, 0x380001);
	MAP({ 0, 0x9fc00, USABLE, 0 }, { 0x9fc00, 0x400, RESERVED, 0 }, { 0xf0000, 0x10000, RESERVED, 0 }, { MIB, 127 * MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	assert_string_equal(boot.cmdline, "some words");
	assert_string_equal(boot.loader, "GRUB 2");
	assert_int_equal(boot.image, 0x300000);
	assert_int_equal(boot.image_size, 0x80001);
	assert_null(boot.memory_warning);
	ASSERT_FREE({ 1, 0x9f }, { 0x100, 0x200 }, { 0x2f8, 0x300 }, { 0x381, 0x8000 });
}

TEST(entries_may_be_larger_than_we_know)
{
	(void)state;
	const struct entry e[] = { { MIB, MIB, USABLE, 0 }, { 4 * MIB, MIB, USABLE, 0 } };
	start();
	memory_map(e, 2, 40);
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x100, 0x200 }, { 0x400, 0x500 });
	start();
	memory_map(e, 2, 24);
	finish();
	info[16] = 23;				/* smaller than an entry can be: no map, and there is nothing else */
	assert_says(parse(), "nothing about memory");
	info[16] = 0;
	assert_says(parse(), "nothing about memory");
}

TEST(firmware_tables_are_never_free)
{
	(void)state;
	start();
	MAP({ MIB, 15 * MIB, USABLE, 0 }, { 8 * MIB + 5, 10, ACPI, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x100, 0x200 }, { 0x2f8, 0x800 }, { 0x801, 0x1000 });
}

/* Of the two root pointers the longer one, wherever it comes. */
TEST(the_root_of_the_firmware_tables)
{
	static const char first[] = "the old one: 20 byte", second[] = "the new one has thirty-six bytes.....";
	const void *told;
	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		start();
		MAP({ MIB, 15 * MIB, USABLE, 0 });
		for (int i = 0; i < 2; i++) {
			bool old = i == swapped;
			tag_of_size(old ? OLD_POINTER : POINTER, 8 + (old ? 20 : 36));
			put(old ? first : second, old ? 20 : 36);
		}
		tag_of_size(POINTER, 8);			/* empty */
		finish();
		assert_null(parse());
		assert_int_equal(multiboot_acpi(&told), 36);
		assert_memory_equal(told, second, 36);
	}
	start();
	MAP({ MIB, 15 * MIB, USABLE, 0 });
	tag_of_size(POINTER, 8 + 100);				/* longer than we know */
	for (int i = 0; i < 100; i++)
		put("x", 1);
	finish();
	assert_null(parse());
	assert_int_equal(multiboot_acpi(&told), 36);
	start();
	MAP({ MIB, 15 * MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	assert_int_equal(multiboot_acpi(&told), 0);
}

/* ---- lying memory maps ------------------------------------------------------------------------------------------------------------ */

TEST(what_forbids_wins_in_any_order)
{
	(void)state;
	start();
	MAP({ 6 * MIB, MIB, BAD, 0 }, { 4 * MIB, 8 * MIB, USABLE, 0 }, { 5 * MIB, 6 * MIB, USABLE, 0 }, { 8 * MIB + 1, 1, RESERVED, 0 },
	    { 9 * MIB, MIB, 77, 0 }, { 11 * MIB, 1000 * MIB, 0, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x600 }, { 0x700, 0x800 }, { 0x801, 0x900 }, { 0xa00, 0xb00 });
}

TEST(empty_entries_and_those_that_wrap_around)
{
	(void)state;
	start();
	MAP({ 4 * MIB, 0, USABLE, 0 }, { 4 * MIB, MIB, USABLE, 0 }, { 4 * MIB, 0, RESERVED, 0 }, { ~0ull - 4095, 8192, USABLE, 0 },
	    { ~0ull, ~0ull, RESERVED, 0 }, { 0, 0, USABLE, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x500 });
	start();			/* one that would wrap around is cut at the limit, and so is one that forbids */
	MAP({ 4 * MIB, ~0ull - 100, USABLE, 0 }, { 6 * MIB, ~0ull, RESERVED, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x600 });
}

TEST(pieces_smaller_than_a_page)
{
	(void)state;
	start();
	MAP({ 4 * MIB + 1, 8190, USABLE, 0 }, { 5 * MIB + 100, 200, USABLE, 0 }, { 6 * MIB, 4095, USABLE, 0 }, { 7 * MIB - 1, 4097, USABLE, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x700, 0x701 });
}

TEST(holes_stay_holes)
{
	(void)state;
	start();
	MAP({ 4 * MIB, 2 * MIB, USABLE, 0 }, { 0x100000000, 0x40000000, USABLE, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x600 }, { 0x100000, 0x140000 });
}

TEST(a_range_at_one_tebibyte)
{
	(void)state;
	start();
	MAP({ 4 * MIB, MIB, USABLE, 0 }, { 0xfd00000000, 0x300000000, RESERVED, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x500 });
	start();
	MAP({ 4 * MIB, MIB, USABLE, 0 }, { TIB, MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 0x400, 0x500 }, { 0x10000000, 0x10000100 });
	assert_null(parse_below(TIB));				/* beyond what the processor addresses */
	ASSERT_FREE({ 0x400, 0x500 });
	assert_null(parse_below(TIB + 8192));			/* cut */
	ASSERT_FREE({ 0x400, 0x500 }, { 0x10000000, 0x10000002 });
}

TEST(more_pieces_than_there_is_room_for)
{
	struct entry e[2 * PHYSMAP_MAX];
	size_t n, frames = 0;

	(void)state;
	for (size_t i = 0; i < 2 * PHYSMAP_MAX; i++)
		e[i] = (struct entry){ 16 * MIB + i * 0x10000, i < PHYSMAP_MAX ? 0x1000 : 0x3000, USABLE, 0 };
	start();
	memory_map(e, 2 * PHYSMAP_MAX, sizeof *e);
	finish();
	assert_null(parse());
	assert_says(boot.memory_warning, "too many pieces");
	const struct phys_range *r = physmap_free(&n);
	for (size_t i = 0; i < n; i++)
		frames += r[i].end - r[i].start;
	assert_int_equal(n, PHYSMAP_MAX);
	assert_int_equal(frames, 3 * PHYSMAP_MAX);		/* the large ones stayed */
}

TEST(no_memory_map)
{
	(void)state;
	start();
	tag_of_size(BASIC_MEMORY, 16);
	put32(639);
	put32(7 * 1024);
	finish();
	assert_null(parse());
	assert_says(boot.memory_warning, "no memory map");
	ASSERT_FREE({ 1, 0x9f }, { 0x100, 0x200 }, { 0x2f8, 0x800 });
	start();				/* a map that has nothing usable is none either; what it forbids counts */
	tag_of_size(BASIC_MEMORY, 16);
	put32(0xffffffff);			/* no more than 640 KiB are believed */
	put32(0xffffffff);
	MAP({ 4 * MIB, ~0ull, RESERVED, 0 });
	finish();
	assert_null(parse());
	ASSERT_FREE({ 1, 0xa0 }, { 0x100, 0x200 }, { 0x2f8, 0x400 });
}

TEST(no_memory_at_all)
{
	(void)state;
	start();
	finish();
	assert_says(parse(), "nothing about memory");
	start();
	MAP({ 4 * MIB, 8 * MIB, USABLE, 0 }, { 4 * MIB, 8 * MIB, RESERVED, 0 });
	finish();
	assert_says(parse(), "no usable memory");
	start();
	MAP({ 0, 100, USABLE, 0 }, { KERNEL_START, KERNEL_END - KERNEL_START, USABLE, 0 });
	finish();
	assert_says(parse(), "no usable memory");
}

/* ---- modules ---------------------------------------------------------------------------------------------------------------------------- */

TEST(modules_are_never_free)
{
	(void)state;
	start();
	module(5 * MIB, 5 * MIB);				/* empty */
	module(7 * MIB, 6 * MIB);				/* backwards */
	module(KERNEL_START + 4096, KERNEL_START + 8192);	/* over the kernel: not an image */
	module(KERNEL_START - 1, KERNEL_START + 1);
	module(KERNEL_END - 1, KERNEL_END + 1);
	module(8 * MIB + 1, 9 * MIB - 1);			/* this is it */
	module(8 * MIB + 4096, 10 * MIB);			/* over the one before */
	module(0xfffff000, 0xffffffff);
	MAP({ 0, 16 * MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	assert_int_equal(boot.image, 8 * MIB + 1);
	assert_int_equal(boot.image_size, MIB - 2);
	ASSERT_FREE({ 1, 0x1ff }, { 0x2f9, 0x800 }, { 0xa00, 0x1000 });
}

TEST(no_image)
{
	(void)state;
	start();
	module(KERNEL_START, KERNEL_END);
	MAP({ MIB, 15 * MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	assert_int_equal(boot.image_size, 0);
}

/* ---- damaged lists -------------------------------------------------------------------------------------------------------------------- */

TEST(the_list_ends_too_early)
{
	(void)state;
	start();
	MAP({ 4 * MIB, MIB, USABLE, 0 });
	finish_with((uint32_t)used);				/* no end tag */
	assert_null(parse());
	assert_says(boot.memory_warning, "cut off");
	ASSERT_FREE({ 0x400, 0x500 });
	for (size_t all = used; used > 0; used--) {		/* cut anywhere: the map itself is whole or not there */
		const char *why = parse();
		assert_true(used == all ? !why : !!why);
	}
}

TEST(tags_of_impossible_sizes)
{
	static const uint32_t sizes[] = { 0, 1, 7, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		start();
		MAP({ 4 * MIB, MIB, USABLE, 0 });
		tag_of_size(99, sizes[i]);			/* ends the list: what comes after is not believed */
		put("12345678", 8);
		MAP({ 6 * MIB, MIB, USABLE, 0 });
		finish();
		assert_null(parse());
		assert_says(boot.memory_warning, "cut off");
		ASSERT_FREE({ 0x400, 0x500 });
	}
}

TEST(tags_of_odd_sizes)
{
	static const uint32_t types[] = { CMDLINE, LOADER, MODULE, BASIC_MEMORY, 5, MEMORY_MAP, 99 };

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		for (uint32_t size = 8; size < 24; size++) {
			start();
			tag_of_size(types[i], size);
			for (uint32_t n = 8; n < size; n++)
				put("\x11", 1);			/* texts without an end, modules and maps that are too short */
			MAP({ 4 * MIB, MIB, USABLE, 0 });
			finish();
			assert_null(parse());
			assert_null(boot.memory_warning);
			ASSERT_FREE({ 0x400, 0x500 });
		}
	}
}

TEST(texts_that_are_too_long)
{
	char long_text[6000];
	(void)state;
	memset(long_text, 'a', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	start();
	text(CMDLINE, long_text);
	text(LOADER, long_text);
	MAP({ 4 * MIB, MIB, USABLE, 0 });
	finish();
	assert_null(parse());
	assert_int_equal(strlen(boot.cmdline), 4095);
	assert_int_equal(strlen(boot.loader), 63);
}

TEST(a_total_size_that_lies)
{
	static const uint32_t totals[] = { 0xffffffff, 0x80000000, ROOM };
	(void)state;
	start();
	MAP({ 4 * MIB, MIB, USABLE, 0 });
	finish();
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
		finish_with(totals[i]);
		assert_null(parse());
		ASSERT_FREE({ 0x400, 0x500 });
	}
	for (uint32_t total = 0; total < 16; total++) {
		finish_with(total);
		assert_non_null(parse());
	}
}

/* ---- many mutations --------------------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 1;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t random_address(void)
{
	static const uint64_t awkward[] = { 0, 1, 4095, 4096, 0x9fc00, MIB, KERNEL_START, KERNEL_END, 0xfffff000, 0x100000000, 1ull << 46, 1ull << 63,
		~0ull, ~0ull - 4095 };
	uint64_t base = random_below(3) ? (uint64_t)random_below(1 << 30) << random_below(20) : awkward[random_below(sizeof awkward / sizeof *awkward)];
	return base + random_below(3) - 1;
}

static void random_map(void)
{
	struct entry e[40];
	size_t n = random_below(8) ? random_below(8) : random_below(40);

	for (size_t i = 0; i < n; i++)
		e[i] = (struct entry){ random_address(), random_below(2) ? random_below(64 * MIB) : random_address(), 1 + !random_below(3) * random_below(5), 0 };
	memory_map(e, n, random_below(8) ? 24 : 24 + random_below(40));
}

static void random_information(void)
{
	start();
	for (uint32_t tags = 1 + random_below(6); tags; tags--) {
		switch (random_below(8)) {
		case 0: text(random_below(2) ? CMDLINE : LOADER, "a text"); break;
		case 1: case 2: module((uint32_t)random_address(), (uint32_t)random_address()); break;
		case 3: tag_of_size(BASIC_MEMORY, 16); put32(random_below(2000)); put32(random_below(1 << 30) << random_below(3)); break;
		case 4: tag_of_size(random_below(100), 8 + random_below(8)); put("abcdefgh", 8); break;
		default: random_map();
		}
	}
	finish();
	for (uint32_t damage = random_below(3) ? 0 : random_below(6); damage; damage--)
		info[random_below((uint32_t)used)] = (unsigned char)random_below(256);
	if (random_below(8) == 0)
		used = random_below((uint32_t)used);
}

TEST(mutations)
{
	unsigned refusals = 0;
	(void)state;
	for (int i = 0; i < MUTATIONS; i++) {
		bool refused;
		random_information();
		unsigned char *copy = malloc(used);
		memcpy(copy, info, used);
		const char *wrong = drive_judge(copy, used, &refused);
		if (wrong)
			fail_msg("mutation %d: %s", i, wrong);
		refusals += refused;
		free(copy);
	}
	assert_true(refusals > MUTATIONS / 20 && refusals < MUTATIONS / 2);	/* they are neither all good nor all rubbish */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_usual_machine),
	cmocka_unit_test(entries_may_be_larger_than_we_know),
	cmocka_unit_test(firmware_tables_are_never_free),
	cmocka_unit_test(the_root_of_the_firmware_tables),
	cmocka_unit_test(what_forbids_wins_in_any_order),
	cmocka_unit_test(empty_entries_and_those_that_wrap_around),
	cmocka_unit_test(pieces_smaller_than_a_page),
	cmocka_unit_test(holes_stay_holes),
	cmocka_unit_test(a_range_at_one_tebibyte),
	cmocka_unit_test(more_pieces_than_there_is_room_for),
	cmocka_unit_test(no_memory_map),
	cmocka_unit_test(no_memory_at_all),
	cmocka_unit_test(modules_are_never_free),
	cmocka_unit_test(no_image),
	cmocka_unit_test(the_list_ends_too_early),
	cmocka_unit_test(tags_of_impossible_sizes),
	cmocka_unit_test(tags_of_odd_sizes),
	cmocka_unit_test(texts_that_are_too_long),
	cmocka_unit_test(a_total_size_that_lies),
	cmocka_unit_test(mutations),
};
RUN_TESTS("multiboot", tests)
