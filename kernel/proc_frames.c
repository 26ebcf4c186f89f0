/*
 * kernel/proc_frames.c - /proc/kpagecount and /proc/kpageflags: a word of 8 bytes for each frame of memory, by its number.  Root alone may look.
 *
 * Words are looked at as they are, one by one; a record that goes meanwhile is not followed: only who has it, its word says.
 */
#include "kernel/proc.h"
#include "vm/frame.h"
#include "vm/physmap.h"

/* Linux's KPF_ bits. */
#define FLAG(bit)	((uint64_t)1 << (bit))
enum { KPF_UPTODATE = 3, KPF_SLAB = 7, KPF_BUDDY = 10, KPF_MMAP = 11, KPF_ANON = 12, KPF_SWAPBACKED = 14, KPF_NOPAGE = 20, KPF_ZERO_PAGE = 24, KPF_PGTABLE = 26 };

static uint64_t flags_of(pfn_t pfn)
{
	if (!frame_exists(pfn))
		return FLAG(KPF_NOPAGE);
	page_word w = page_word_of(pfn);
	switch (page_type(w)) {
	case PAGE_FREE:
		return FLAG(KPF_BUDDY);
	case PAGE_TABLE:
		return FLAG(KPF_PGTABLE);
	case PAGE_ANON:
		return FLAG(KPF_UPTODATE) | FLAG(KPF_ANON) | FLAG(KPF_SWAPBACKED) | FLAG(KPF_MMAP);
	case PAGE_RECORD:
		return FLAG(KPF_UPTODATE);
	case PAGE_KERNEL:
		return page_use(w) == USE_HEAP ? FLAG(KPF_SLAB) : page_use(w) == USE_ZERO ? FLAG(KPF_ZERO_PAGE) : 0;
	default:
		return 0;
	}
}

static uint64_t count_of(pfn_t pfn)
{
	page_word w = frame_exists(pfn) ? page_word_of(pfn) : 0;
	return page_type(w) == PAGE_ANON ? page_value(w) : 0;
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
