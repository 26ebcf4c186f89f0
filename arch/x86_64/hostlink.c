/*
 * arch/x86_64/hostlink.c - what the host hands over and takes: QEMU's firmware configuration (blobs) and the job channels.
 *
 * Blobs: docs/specs/fw_cfg of QEMU: a selector port, a data port, a directory of named files.
 * Jobs: standard output, error and status go out through three debug consoles, a byte a port write.  Standard input comes in by the second
 * serial port, escaped: first padding (zero bytes), of which the port loses one or two while its FIFO is turned on; then ff 01, the start;
 * from there on ff ff is a byte ff, ff 00 the end of file.  While the ring is full the port's interrupt is off and its data stay where they
 * are: QEMU then takes no more from the host, so nothing is lost.
 *
 * Locks: blob_lock (one at a time at the two ports); ring_lock (interrupts off) for the ring and the decoder.
 */
#include "arch/console.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/serial.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/sync.h"

/* ---- blobs ---------------------------------------------------------------------------------------------------------------------------------- */

enum { FW_SELECT = 0x510, FW_DATA = 0x511, FW_SIGNATURE = 0, FW_DIRECTORY = 0x19, FW_NAME_SIZE = 56, FW_FILES_MAX = 4096 };

struct fw_file { uint8_t size[4], select[2], reserved[2]; char name[FW_NAME_SIZE]; };	/* numbers are big-endian */

static struct spinlock blob_lock = SPINLOCK_INIT("host blobs", RANK_LEAF);

static uint32_t big_endian(const uint8_t *bytes, size_t n)
{
	uint32_t v = 0;
	while (n-- > 0)
		v = v << 8 | *bytes++;
	return v;
}

static bool fw_present(void)
{
	char signature[4];
	outw(FW_SELECT, FW_SIGNATURE);
	in_bytes(FW_DATA, signature, sizeof signature);
	return memcmp(signature, "QEMU", sizeof signature) == 0;
}

/* Selects the blob and returns its size, or -ENOENT.  blob_lock held. */
static ssize select_blob(const char *name)
{
	char wanted[FW_NAME_SIZE];
	uint8_t count[4];

	snprintf(wanted, sizeof wanted, "opt/faultline/%s", name);
	if (!fw_present())
		return -ENOENT;
	outw(FW_SELECT, FW_DIRECTORY);
	in_bytes(FW_DATA, count, sizeof count);
	for (uint32_t left = big_endian(count, 4); left > 0 && left <= FW_FILES_MAX; left--) {
		struct fw_file file;
		in_bytes(FW_DATA, &file, sizeof file);
		if (strncmp(file.name, wanted, sizeof wanted) != 0)
			continue;
		outw(FW_SELECT, (uint16_t)big_endian(file.select, 2));
		return (ssize)big_endian(file.size, 4);
	}
	return -ENOENT;
}

ssize host_blob_size(const char *name)
{
	spin_lock(&blob_lock);
	ssize size = select_blob(name);
	spin_unlock(&blob_lock);
	return size;
}

ssize host_blob_read(const char *name, size_t offset, void *to, size_t n)
{
	spin_lock(&blob_lock);
	ssize size = select_blob(name);
	if (size >= 0) {
		if (offset > (size_t)size)
			offset = (size_t)size;
		if (n > (size_t)size - offset)
			n = (size_t)size - offset;
		while (offset-- > 0)			/* the data port cannot be wound forward */
			inb(FW_DATA);
		in_bytes(FW_DATA, to, n);
		size = (ssize)n;
	}
	spin_unlock(&blob_lock);
	return size;
}

/* ---- job channels ----------------------------------------------------------------------------------------------------------------------------- */

enum { PORT_STDOUT = 0xe9, PORT_STDERR = 0xea, PORT_STATUS = 0xeb, RING = 2048, ESCAPE = 0xff, START = 0x01, END_OF_FILE = 0x00 };

static struct spinlock ring_lock = SPINLOCK_INIT("job input", RANK_CONSOLE);
static char ring[RING];				/* ring_lock, as the next two lines */
static unsigned ring_head, ring_tail;		/* count up for ever */
static bool ring_started, ring_full, started, escaped, ended;

bool job_present(void)
{
	static enum { UNKNOWN, THERE, ABSENT } known;		/* a word, known since boot */
	if (known == UNKNOWN)
		known = host_blob_size("job") >= 0 ? THERE : ABSENT;
	return known == THERE;
}

void job_put(enum job_channel channel, const char *bytes, size_t n)
{
	out_bytes(channel == JOB_STDOUT ? PORT_STDOUT : channel == JOB_STDERR ? PORT_STDERR : PORT_STATUS, bytes, n);
}

static void decode(uint8_t byte)
{
	if (!escaped && byte == ESCAPE) {
		escaped = true;
		return;
	}
	if (!started)
		started = escaped && byte == START;
	else if (escaped && byte == END_OF_FILE)
		ended = true;
	else
		ring[ring_head++ % RING] = (char)byte;
	escaped = false;
}

/* Takes what the port has while there is room.  ring_lock held. */
static bool fill_ring(void)
{
	bool any = false;
	while (ring_head - ring_tail < RING && uart_has_data(COM2)) {
		decode(inb(COM2 + UART_DATA));
		any = true;
	}
	ring_full = ring_head - ring_tail == RING;
	outb(COM2 + UART_INTERRUPTS, ring_full ? 0 : UART_RECEIVE_INTERRUPT);
	return any;
}

static void receive(const struct trap_frame *frame)
{
	(void)frame;
	spin_lock(&ring_lock);
	bool any = fill_ring();
	spin_unlock(&ring_lock);
	if (any)
		job_received();
}

static void start_ring(void)
{
	ring_started = true;
	uart_init(COM2);
	irq_handle(IRQ_COM2, receive);
}

ssize job_get(char *to, size_t n)
{
	size_t got = 0;
	unsigned long irq = spin_lock_irq(&ring_lock);
	if (!ring_started)
		start_ring();
	fill_ring();
	for (; got < n && ring_tail != ring_head; got++)
		to[got] = ring[ring_tail++ % RING];
	if (ring_full)
		fill_ring();
	bool end = got == 0 && n > 0 && ended;
	spin_unlock_irq(&ring_lock, irq);
	return end ? -1 : (ssize)got;
}
