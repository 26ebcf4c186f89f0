/*
 * arch/x86_64/acpi.c - reading which processors the firmware says there are (ACPI specification 6.4: 5.2.5 root pointer, 5.2.7 and 5.2.8 root tables,
 * 5.2.12 the table of interrupt controllers, MADT).
 *
 * Root pointer → root table (XSDT, or the older RSDT) → MADT → one entry a processor.  None of it is believed: a table counts only with its checksum, no entry is read that
 * does not lie wholly inside its table, and sizes and numbers have limits, so that rubbish costs no more than some time.
 * No hardware is touched, so that the host can feed it rubbish.
 *
 * => boot only, one processor, no locks.
 */
#include "arch/x86_64/acpi.h"
#include "lib/string.h"

struct __attribute__((packed)) root_pointer {
	char signature[8];
	uint8_t checksum;		/* makes the sum of the first 20 bytes 0 */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;		/* from here on: revision 2 */
	uint64_t xsdt;
	uint8_t checksum_all, reserved[3];
};
struct table { char signature[4]; uint32_t length; uint8_t revision, checksum; char oem[6], id[8]; uint32_t oem_revision, creator, creator_revision; };

enum { OLD_POINTER = 20, TABLE_MAX = 1 << 20, TABLES_MAX = 256, MADT_HEADER = sizeof(struct table) + 8 };
enum { ENTRY_APIC = 0, ENTRY_X2APIC = 9, ENABLED = 1 };
struct __attribute__((packed)) apic_entry { uint8_t type, length, processor, id; uint32_t flags; };
struct __attribute__((packed)) x2apic_entry { uint8_t type, length; uint16_t reserved; uint32_t id, flags, processor; };

static const void *(*reach)(paddr_t, size_t);

static bool sums_to_zero(const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	uint8_t sum = 0;

	while (n-- > 0)
		sum += *b++;
	return sum == 0;
}

/* The table at `at`, whole and sound, with its length; NULL: there is none of that signature. */
static const unsigned char *table_at(paddr_t at, const char *signature, size_t *length)
{
	const unsigned char *bytes = at ? reach(at, sizeof(struct table)) : NULL;
	struct table t;

	if (!bytes)
		return NULL;
	memcpy(&t, bytes, sizeof t);
	if (memcmp(t.signature, signature, sizeof t.signature) != 0 || t.length < sizeof t || t.length > TABLE_MAX)
		return NULL;
	bytes = reach(at, t.length);
	*length = t.length;
	return bytes && sums_to_zero(bytes, t.length) ? bytes : NULL;
}

/* Looks through a root table, whose entries are addresses of so many bytes. */
static const unsigned char *find_madt(paddr_t root, const char *signature, size_t entry_size, size_t *length)
{
	size_t root_length;
	const unsigned char *root_bytes = table_at(root, signature, &root_length), *madt = NULL;
	size_t n = root_bytes ? (root_length - sizeof(struct table)) / entry_size : 0;

	for (size_t i = 0; i < n && i < TABLES_MAX && !madt; i++) {
		uint64_t at = 0;
		memcpy(&at, root_bytes + sizeof(struct table) + i * entry_size, entry_size);
		madt = table_at(at, "APIC", length);
	}
	return madt;
}

/* Firmware may name a processor in both formats. */
static void add(struct acpi_processors *to, uint32_t id)
{
	for (unsigned i = 0; i < to->n; i++)
		if (to->apic_id[i] == id)
			return;
	if (to->n < CPUS_MAX)
		to->apic_id[to->n++] = id;
	else
		to->more++;
}

static void read_madt(const unsigned char *madt, size_t length, struct acpi_processors *to)
{
	struct apic_entry a;
	struct x2apic_entry x;

	for (size_t at = MADT_HEADER; at + 2 <= length; at += madt[at + 1]) {
		size_t size = madt[at + 1];
		if (size < 2 || size > length - at)
			return;
		if (madt[at] == ENTRY_APIC && size >= sizeof a) {
			memcpy(&a, madt + at, sizeof a);
			if ((a.flags & ENABLED) && a.id != UINT8_MAX)
				add(to, a.id);
		} else if (madt[at] == ENTRY_X2APIC && size >= sizeof x) {
			memcpy(&x, madt + at, sizeof x);
			if ((x.flags & ENABLED) && x.id != UINT32_MAX)
				add(to, x.id);
		}
	}
}

const char *acpi_find_processors(const void *root_pointer, size_t size, const void *(*reach_)(paddr_t, size_t), struct acpi_processors *to)
{
	struct root_pointer p = { .revision = 0 };
	const unsigned char *madt = NULL;
	size_t length;

	reach = reach_;
	*to = (struct acpi_processors){ .n = 0 };
	memcpy(&p, root_pointer, size < sizeof p ? size : sizeof p);
	if (size < OLD_POINTER || memcmp(p.signature, "RSD PTR ", sizeof p.signature) != 0)
		return "no ACPI tables";
	if (!sums_to_zero(&p, OLD_POINTER))
		return "the ACPI tables are broken";
	if (size >= sizeof p && p.revision >= 2 && sums_to_zero(&p, sizeof p))
		madt = find_madt(p.xsdt, "XSDT", sizeof p.xsdt, &length);
	if (!madt)
		madt = find_madt(p.rsdt, "RSDT", sizeof p.rsdt, &length);
	if (!madt)
		return "the ACPI tables name no processors";
	read_madt(madt, length, to);
	return to->n > 0 ? NULL : "the ACPI tables name no processors";
}
