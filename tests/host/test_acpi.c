/* tests/host/test_acpi.c - arch/x86_64/acpi.c: what firmware may say of the processors, true or not. */
#include "harness.h"
#include "arch/x86_64/acpi.h"

enum { BASE = 0x7f000, ROOM = 8192, HEADER = 36, COPIES = 4096, MUTATIONS = 200000 };
enum { RSDT = BASE + 0x100, XSDT = BASE + 0x400, MADT = BASE + 0x800, OTHER = BASE + 0x1800 };

/* Physical memory: ROOM bytes at BASE, and nothing else. */
static unsigned char memory[ROOM];
static unsigned char pointer[36];
static size_t pointer_size;

/* Each piece is handed out as a block of its own, so that the sanitizer sees a byte too far. */
static void *copies[COPIES];
static unsigned ncopies;

static const void *reach(paddr_t at, size_t n)
{
	if (at < BASE || at - BASE > ROOM || n > ROOM - (at - BASE))
		return NULL;
	void *copy = malloc(n);
	assert_true(ncopies < COPIES);
	copies[ncopies++] = copy;
	return memcpy(copy, &memory[at - BASE], n);
}

static struct acpi_processors found;

static const char *find(void)
{
	void *copy = malloc(pointer_size);

	memcpy(copy, pointer, pointer_size);
	const char *why = acpi_find_processors(copy, pointer_size, reach, &found);
	free(copy);
	while (ncopies > 0)
		free(copies[--ncopies]);
	return why;
}

static void balance(unsigned char *bytes, size_t n, size_t at)
{
	bytes[at] = 0;
	for (size_t i = 0; i < n; i++)
		bytes[at] -= i == at ? 0 : bytes[i];
}

static void table(paddr_t at, const char *signature, const void *body, uint32_t n)
{
	unsigned char *t = &memory[at - BASE];
	uint32_t length = HEADER + n;

	memset(t, 0, HEADER);
	memcpy(t, signature, 4);
	memcpy(t + 4, &length, 4);
	memcpy(t + HEADER, body, n);
	balance(t, length, 9);
}

/* The body of a MADT as it is built. */
static unsigned char madt[4000];
static uint32_t madt_used;

static void processor(uint32_t id, uint32_t flags)
{
	unsigned char e[8] = { 0, 8, 1, (unsigned char)id, (unsigned char)flags };
	memcpy(madt + madt_used, e, sizeof e);
	madt_used += sizeof e;
}

static void x2_processor(uint32_t id, uint32_t flags)
{
	unsigned char e[16] = { 9, 16 };
	memcpy(e + 4, &id, 4);
	memcpy(e + 8, &flags, 4);
	memcpy(madt + madt_used, e, sizeof e);
	madt_used += sizeof e;
}

static void something_else(unsigned char type, unsigned char size)
{
	memset(madt + madt_used, 0x55, size);
	madt[madt_used] = type;
	madt[madt_used + 1] = size;
	madt_used += size;
}

static void root_pointer(unsigned char revision)
{
	const uint32_t rsdt = RSDT, length = 36;
	const uint64_t xsdt = XSDT;

	memset(pointer, 0, sizeof pointer);
	memcpy(pointer, "RSD PTR ", 8);
	pointer[15] = revision;
	memcpy(pointer + 16, &rsdt, 4);
	balance(pointer, 20, 8);
	memcpy(pointer + 20, &length, 4);
	memcpy(pointer + 24, &xsdt, 8);
	balance(pointer, 36, 32);
	pointer_size = revision >= 2 ? 36 : 20;
}

/* All tables, with what has been put into the MADT; both root tables name another table first. */
static void tables(void)
{
	const uint32_t r[] = { OTHER, MADT };
	const uint64_t x[] = { OTHER, MADT };

	table(OTHER, "FACP", "something", 9);
	table(MADT, "APIC", madt, madt_used);
	table(RSDT, "RSDT", r, sizeof r);
	table(XSDT, "XSDT", x, sizeof x);
	root_pointer(2);
}

static void start(void)
{
	memset(memory, 0, sizeof memory);
	memset(madt, 0, sizeof madt);
	madt_used = 8;
}

#define ASSERT_FOUND(...) do { \
	const uint32_t expected_[] = { __VA_ARGS__ }; \
	assert_int_equal(found.n, sizeof expected_ / sizeof *expected_); \
	assert_memory_equal(found.apic_id, expected_, sizeof expected_); } while (0)

TEST(a_usual_machine)
{
	(void)state;
	start();
	something_else(1, 12);
	processor(0, 1);
	processor(2, 1);
	processor(4, 0);			/* a socket without one */
	something_else(4, 6);
	processor(255, 1);			/* no such number */
	processor(2, 1);			/* twice */
	x2_processor(2, 1);
	x2_processor(300, 1);
	x2_processor(~0u, 1);
	x2_processor(301, 2);
	tables();
	assert_null(find());
	ASSERT_FOUND(0, 2, 300);
	assert_int_equal(found.more, 0);
	root_pointer(0);			/* the old pointer knows the old root table alone */
	memory[XSDT - BASE] = 'Y';
	assert_null(find());
	ASSERT_FOUND(0, 2, 300);
}

TEST(more_than_there_is_room_for)
{
	(void)state;
	start();
	for (uint32_t id = 0; id < 250; id++)
		processor(id, 1);
	tables();
	assert_null(find());
	assert_int_equal(found.n, CPUS_MAX);
	assert_int_equal(found.apic_id[CPUS_MAX - 1], CPUS_MAX - 1);
	assert_int_equal(found.more, 250 - CPUS_MAX);
}

TEST(broken_tables)
{
	(void)state;
	start();
	processor(7, 1);
	tables();
	memory[XSDT - BASE + 20]++;		/* its sum is wrong: the other root table */
	assert_null(find());
	ASSERT_FOUND(7);
	memory[RSDT - BASE + 20]++;
	assert_string_equal(find(), "the ACPI tables name no processors");
	tables();
	memory[MADT - BASE + 40]++;
	assert_string_equal(find(), "the ACPI tables name no processors");
	tables();
	pointer[10]++;
	assert_string_equal(find(), "the ACPI tables are broken");
	for (pointer_size = 0; pointer_size < 20; pointer_size++)
		assert_string_equal(find(), "no ACPI tables");
	tables();
	pointer[35]++;				/* the long part is wrong: the short one counts */
	memory[XSDT - BASE] = 'Y';
	assert_null(find());
	ASSERT_FOUND(7);
}

TEST(entries_of_odd_sizes)
{
	(void)state;
	for (unsigned size = 0; size < 40; size++)
		for (unsigned type = 0; type < 12; type++) {
			start();
			processor(3, 1);
			something_else((unsigned char)type, 40);
			madt[madt_used - 39] = (unsigned char)size;
			processor(5, 1);
			tables();
			assert_null(find());
			assert_int_equal(found.apic_id[0], 3);
		}
	start();				/* the table ends inside an entry */
	processor(3, 1);
	processor(5, 1);
	for (uint32_t end = madt_used; madt_used > 17; madt_used--) {
		tables();
		assert_null(find());
		assert_int_equal(found.n, madt_used == end ? 2 : 1);
	}
}

TEST(tables_that_lie_nowhere)
{
	static const uint64_t places[] = { 0, 1, BASE - 1, BASE + ROOM - 35, BASE + ROOM, 0xffffffff, ~0ull, ~0ull - 20, 1ull << 63 };

	(void)state;
	start();
	processor(3, 1);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const uint32_t r[] = { (uint32_t)places[i] };
		const uint64_t x[] = { places[i] };
		tables();
		table(RSDT, "RSDT", r, sizeof r);
		table(XSDT, "XSDT", x, sizeof x);
		assert_non_null(find());
	}
	for (uint64_t length = 0; length < 64; length++) {	/* and of impossible lengths */
		const uint32_t claimed = length < 60 ? (uint32_t)length : ~0u << (length - 60);
		tables();
		memcpy(&memory[MADT - BASE + 4], &claimed, 4);
		find();
		tables();
		memcpy(&memory[XSDT - BASE + 4], &claimed, 4);
		memory[RSDT - BASE]++;
		find();
	}
}

static uint64_t seed = 1;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Damage, with sums that are right in spite of it now and then. */
TEST(mutations)
{
	unsigned understood = 0;
	(void)state;
	for (int i = 0; i < MUTATIONS; i++) {
		start();
		for (unsigned n = random_below(20); n > 0; n--) {
			switch (random_below(3)) {
			case 0: processor(random_below(256), random_below(4)); break;
			case 1: x2_processor(random_below(2) ? random_below(20) : ~0u - random_below(2), random_below(4)); break;
			default: something_else((unsigned char)random_below(16), (unsigned char)(2 + random_below(20)));
			}
		}
		for (unsigned n = random_below(3); n > 0 && madt_used > 8; n--)
			madt[8 + random_below(madt_used - 8)] = (unsigned char)random_below(256);
		tables();
		for (unsigned n = random_below(3); n > 0; n--)
			memory[random_below(2) ? random_below(ROOM) : (random_below(2) ? XSDT : MADT) - BASE + random_below(60)] ^= 1 << random_below(8);
		if (random_below(2)) {
			balance(&memory[XSDT - BASE], HEADER + 16, 9);
			balance(&memory[MADT - BASE], HEADER + madt_used, 9);
		}
		if (random_below(4) == 0)
			pointer[random_below(36)] ^= 1 << random_below(8);
		understood += !find();
		assert_true(found.n <= CPUS_MAX);
	}
	assert_true(understood > MUTATIONS / 4 && understood < MUTATIONS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_usual_machine),
	cmocka_unit_test(more_than_there_is_room_for),
	cmocka_unit_test(broken_tables),
	cmocka_unit_test(entries_of_odd_sizes),
	cmocka_unit_test(tables_that_lie_nowhere),
	cmocka_unit_test(mutations),
};
RUN_TESTS("acpi", tests)
