/*
 * kernel/proc_frames.c - /proc/kpagecount and /proc/kpageflags: a word of 8 bytes for each frame of memory, by its number.  Root alone may look.
 *
 * Words are looked at as they are, one by one, without a lock.  A record may go while it is looked at: its memory can still be read then, and the word, which has changed, tells that what
 * was read is not worth anything.
 *
 * What is counted are entries of page tables; a table that fork shares has one for all who share it.
 */
#include "kernel/proc.h"
#include "vm/frame.h"
#include "vm/physmap.h"

/* Linux's KPF_ bits. */
#define FLAG(bit)	((uint64_t)1 << (bit))
enum { KPF_UPTODATE = 3, KPF_LRU = 5, KPF_SLAB = 7, KPF_BUDDY = 10, KPF_MMAP = 11, KPF_ANON = 12, KPF_SWAPBACKED = 14, KPF_COMPOUND_HEAD = 15, KPF_COMPOUND_TAIL = 16, KPF_NOPAGE = 20,
	KPF_THP = 22, KPF_ZERO_PAGE = 24, KPF_PGTABLE = 26 };

/* The word that knows of the frame: that of the first frame of its block. */
static page_word word_of(pfn_t pfn)
{
	page_word w = page_word_of(pfn);

	for (unsigned order = 1; page_type(w) == PAGE_PART && order <= FRAME_MAX_ORDER; order++)
		w = page_word_of(pfn & ~(((pfn_t)1 << order) - 1));
	return w;
}

/* The first frame of a huge page comes with many parts. */
static uint64_t flags_of_huge(pfn_t pfn)
{
	if (page_type(page_word_of(pfn)) == PAGE_PART)
		return FLAG(KPF_THP) | FLAG(KPF_COMPOUND_TAIL);
	return frame_exists(pfn + 1) && page_type(page_word_of(pfn + 1)) == PAGE_PART ? FLAG(KPF_THP) | FLAG(KPF_COMPOUND_HEAD) : 0;
}

static uint64_t count_of(pfn_t pfn)
{
	page_word w;
	uint64_t n;

	if (!frame_exists(pfn))
		return 0;
	do {
		w = word_of(pfn);
		n = page_type(w) == PAGE_ANON ? page_value(w) : page_type(w) == PAGE_RECORD ? record_entries(page_record(w)) : 0;
	} while (word_of(pfn) != w && page_type(w) == PAGE_RECORD);
	return n;
}

static uint64_t flags_of(pfn_t pfn)
{
	if (!frame_exists(pfn))
		return FLAG(KPF_NOPAGE);
	page_word w = word_of(pfn);
	switch (page_type(w)) {
	case PAGE_FREE:
		return FLAG(KPF_BUDDY);
	case PAGE_TABLE:
		return FLAG(KPF_PGTABLE);
	case PAGE_ANON:
		return FLAG(KPF_UPTODATE) | FLAG(KPF_LRU) | FLAG(KPF_ANON) | FLAG(KPF_SWAPBACKED) | FLAG(KPF_MMAP) | flags_of_huge(pfn);
	case PAGE_RECORD:
		return FLAG(KPF_UPTODATE) | FLAG(KPF_LRU) | (count_of(pfn) ? FLAG(KPF_MMAP) : 0);
	case PAGE_KERNEL:
		return page_use(w) == USE_HEAP ? FLAG(KPF_SLAB) : page_use(w) == USE_ZERO ? FLAG(KPF_ZERO_PAGE) : 0;
	default:
		return 0;
	}
}

/* One past the highest frame. */
static pfn_t frames_end(void)
{
	size_t n;
	const struct phys_range *ram = physmap_ram(&n);
	return n ? ram[n - 1].end : 0;
}

static ssize read_words(struct uio *uio, uint64_t *pos, uint64_t (*word)(pfn_t))
{
	uint64_t words[64];
	ssize total = 0;
	if (*pos % sizeof words[0] || uio->left % sizeof words[0])
		return -EINVAL;
	while (uio->left && *pos / sizeof words[0] < frames_end()) {
		size_t n = 0;
		for (pfn_t pfn = *pos / sizeof words[0]; n < uio->left / sizeof words[0] && n < 64 && pfn < frames_end(); pfn++)
			words[n++] = word(pfn);
		size_t done = uio_out(uio, words, n * sizeof words[0]);
		*pos += done;
		total += (ssize)done;
		if (done < n * sizeof words[0])
			return total ? total : -EFAULT;
	}
	return total;
}

static ssize read_flags(struct file *f, struct uio *uio, uint64_t *pos) { (void)f; return read_words(uio, pos, flags_of); }
static ssize read_counts(struct file *f, struct uio *uio, uint64_t *pos) { (void)f; return read_words(uio, pos, count_of); }
static const struct file_ops flags_ops = { .read = read_flags }, counts_ops = { .read = read_counts };

static int flags_open(struct vnode *v, struct file *f) { (void)v; f->ops = &flags_ops; return 0; }
static int counts_open(struct vnode *v, struct file *f) { (void)v; f->ops = &counts_ops; return 0; }
const struct vnode_ops proc_kpageflags_ops = { .open = flags_open, .setattr = proc_text_setattr }, proc_kpagecount_ops = { .open = counts_open, .setattr = proc_text_setattr };
