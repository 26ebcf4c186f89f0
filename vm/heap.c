/*
 * vm/heap.c - the kernel heap: slabs of one frame for small sizes, blocks of frames for large ones.  See heap.h.
 *
 * A slab starts with its header; the rest is cut into objects of one class.  Free objects are linked through their first
 * word.  The classes are what divides the room of a slab evenly, so nearly nothing is lost at its end.  An object never
 * starts on a page boundary, a large block always does: that is how kfree tells them apart.
 *
 * Each processor keeps a few free objects of each class at hand, so that two processors meet at the slabs once in so many objects.
 *
 * Locks: a processor's own for what it has at hand, which is for those who come from elsewhere to empty it; heap_lock (RANK_HEAP) guards all slabs; both before the zone's.
 */
#include "vm/heap.h"
#include "vm/frame.h"
#include "vm/kspace.h"
#include "arch/mmu.h"
#include "lib/string.h"

struct slab {
	struct list link;		/* in slab_class.partial, while it has a free object */
	void *free;			/* first free object */
	unsigned short used, class;
};

enum { SLAB_HEADER = (sizeof(struct slab) + 15) & ~15 };

static const unsigned short class_size[] = {
	16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 400, 448, 496, 576, 672, 800, 1008, 1344, 2016,
};
enum { CLASSES = sizeof class_size / sizeof class_size[0], SMALL_MAX = 2016 };

static struct list partial[CLASSES];			/* slabs with a free object */
static unsigned char class_of_size[SMALL_MAX / 16 + 1];	/* by size / 16, rounded up */
static struct spinlock heap_lock = SPINLOCK_INIT("heap", RANK_HEAP);
static size_t slab_frames;				/* heap_lock */
static size_t large_frames;				/* atomic */
LOCK_GUARDS(heap_lock, partial);
LOCK_GUARDS(heap_lock, slab_frames);

enum { MAGAZINE = 16, MAGAZINE_BATCH = MAGAZINE / 2 };
/* Free objects of a class that a processor has at hand. */
struct magazine {
	unsigned n;
	void *object[MAGAZINE];
};
static struct heap_cpu {
	struct spinlock lock;
	size_t bytes, objects;				/* handed out here, less those that were given back here: the sum over all processors counts */
	struct magazine of[CLASSES];
} CPU_LOCAL heap_cpus[CPUS_MAX] = { [0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT("heap objects at hand", RANK_HEAP - 1) } };

static unsigned objects_per_slab(unsigned class)
{
	return (unsigned)((PAGE_SIZE - SLAB_HEADER) / class_size[class]);
}

static struct slab *slab_of(const void *object)
{
	return (struct slab *)((uintptr_t)object & ~(uintptr_t)PAGE_MASK);
}

void heap_init(void)
{
	unsigned class = 0;

	for (size_t i = 0; i < sizeof class_of_size; i++) {
		while (class_size[class] < i * 16)
			class++;
		class_of_size[i] = (unsigned char)class;
	}
	for (class = 0; class < CLASSES; class++)
		list_init(&partial[class]);
}

/* A new slab with all objects free, in its class's list; NULL: no frame. */
static struct slab *slab_create(unsigned class)
{
	pfn_t pfn = frame_alloc(0, page_kernel(0, USE_HEAP), FRAME_KERNEL);
	if (pfn == PFN_NONE)
		return NULL;

	struct slab *slab = direct(pfn);
	char *object = (char *)slab + SLAB_HEADER;

	slab->class = (unsigned short)class;
	slab->used = 0;
	slab->free = NULL;
	for (unsigned i = 0; i < objects_per_slab(class); i++, object += class_size[class]) {
		*(void **)object = slab->free;
		slab->free = object;
	}
	list_push(&partial[class], &slab->link);
	slab_frames++;
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	list_remove(&slab->link);
	slab_frames--;
	frame_free(direct_pfn(slab), 0);
}

/* heap_lock held. */
static void *take_object(unsigned class)
{
	struct slab *slab = list_empty(&partial[class]) ? slab_create(class) : container_of(partial[class].next, struct slab, link);
	if (!slab)
		return NULL;

	void *object = slab->free;
	slab->free = *(void **)object;
	slab->used++;
	if (!slab->free)
		list_remove(&slab->link);
	return object;
}

/* heap_lock held. */
static void give_object(void *object)
{
	struct slab *slab = slab_of(object);
	struct list *list = &partial[slab->class];

	assert(slab->used > 0 && slab->class < CLASSES);
	if (!slab->free)
		list_push(list, &slab->link);
	*(void **)object = slab->free;
	slab->free = object;
	if (--slab->used == 0 && (list->next != list->prev || frame_is_short()))	/* the class keeps one slab that is not full, if it may */
		slab_destroy(slab);
}

/* At most half a magazine; fewer when memory is short: the first may be the last. */
static void load_magazine(struct magazine *m, unsigned class)
{
	spin_lock(&heap_lock);
	do
		if (!(m->object[m->n] = take_object(class)))
			break;
	while (++m->n < MAGAZINE_BATCH && !list_empty(&partial[class]));
	spin_unlock(&heap_lock);
}

/* The oldest n objects go back to their slabs. */
static void unload_magazine(struct magazine *m, unsigned n)
{
	spin_lock(&heap_lock);
	for (unsigned i = 0; i < n; i++)
		give_object(m->object[i]);
	spin_unlock(&heap_lock);
	m->n -= n;
	memmove(m->object, m->object + n, m->n * sizeof m->object[0]);
}

static void *alloc_small(unsigned class)
{
	struct heap_cpu *cpu = &heap_cpus[cpu_index()];
	struct magazine *m = &cpu->of[class];
	void *object = NULL;

	if (alloc_should_fail())
		return NULL;
	spin_lock(&cpu->lock);
	if (m->n == 0)
		load_magazine(m, class);
	if (m->n > 0) {
		object = m->object[--m->n];
		cpu->bytes += class_size[class];
		cpu->objects++;
	}
	spin_unlock(&cpu->lock);
	return object;
}

static void free_small(void *object)
{
	struct heap_cpu *cpu = &heap_cpus[cpu_index()];
	unsigned class = slab_of(object)->class;
	struct magazine *m = &cpu->of[class];

	spin_lock(&cpu->lock);
	cpu->bytes -= class_size[class];
	cpu->objects--;
	m->object[m->n++] = object;
	if (frame_is_short())
		unload_magazine(m, m->n);
	else if (m->n == MAGAZINE)
		unload_magazine(m, MAGAZINE_BATCH);
	spin_unlock(&cpu->lock);
}

void heap_drain(void)
{
	for (struct heap_cpu *cpu = heap_cpus; cpu < heap_cpus + cpu_count; cpu++) {
		spin_lock(&cpu->lock);
		for (unsigned class = 0; class < CLASSES; class++)
			if (cpu->of[class].n > 0)
				unload_magazine(&cpu->of[class], cpu->of[class].n);
		spin_unlock(&cpu->lock);
	}
}

static unsigned order_for(size_t size)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static void count_large(ptrdiff_t frames)
{
	struct heap_cpu *cpu = &heap_cpus[cpu_index()];

	spin_lock(&cpu->lock);
	cpu->bytes += (size_t)frames << PAGE_SHIFT;
	cpu->objects += frames > 0 ? 1 : (size_t)-1;
	spin_unlock(&cpu->lock);
	__atomic_fetch_add(&large_frames, (size_t)frames, __ATOMIC_RELAXED);
}

static void *alloc_large(size_t size)
{
	if (size > PAGE_SIZE << FRAME_MAX_ORDER)
		return size > (size_t)-1 - PAGE_MASK ? NULL : kspace_alloc((size + PAGE_MASK) >> PAGE_SHIFT, KSPACE_MAPPED);

	unsigned order = order_for(size);
	pfn_t pfn = frame_alloc(order, page_kernel(order, USE_BLOCK), FRAME_KERNEL);
	if (pfn == PFN_NONE)
		return NULL;
	count_large((ptrdiff_t)1 << order);
	return direct(pfn);
}

static bool in_kspace(const void *p)
{
	return (vaddr_t)p >= KSPACE_START && (vaddr_t)p < KSPACE_END;
}

static void free_large(void *block)
{
	if (in_kspace(block)) {
		kspace_free(block);
		return;
	}
	pfn_t pfn = direct_pfn(block);
	unsigned order = page_order(page_word_of(pfn));

	assert(page_type(page_word_of(pfn)) == PAGE_KERNEL && page_use(page_word_of(pfn)) == USE_BLOCK);
	count_large(-((ptrdiff_t)1 << order));
	frame_free(pfn, order);
}

void *kmalloc(size_t size)
{
	return size <= SMALL_MAX ? alloc_small(class_of_size[(size + 15) / 16]) : alloc_large(size);
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void kfree(void *p)
{
	if (!p)
		return;
	if ((uintptr_t)p & PAGE_MASK)
		free_small(p);
	else
		free_large(p);
}

size_t heap_usable_size(const void *p)
{
	if ((uintptr_t)p & PAGE_MASK)
		return class_size[slab_of(p)->class];
	return in_kspace(p) ? kspace_size(p) : PAGE_SIZE << page_order(page_word_of(direct_pfn(p)));
}

size_t heap_trim(void)
{
	size_t before, after;

	heap_drain();
	spin_lock(&heap_lock);
	before = slab_frames;
	for (unsigned class = 0; class < CLASSES; class++)
		list_for_each_safe(pos, &partial[class])
			if (container_of(pos, struct slab, link)->used == 0)
				slab_destroy(container_of(pos, struct slab, link));
	after = slab_frames;
	spin_unlock(&heap_lock);
	return before - after;
}

void heap_get_stats(struct heap_stats *to)
{
	spin_lock(&heap_lock);
	*to = (struct heap_stats){ .slab_frames = slab_frames, .large_frames = __atomic_load_n(&large_frames, __ATOMIC_RELAXED) };
	spin_unlock(&heap_lock);
	for (struct heap_cpu *cpu = heap_cpus; cpu < heap_cpus + cpu_count; cpu++) {
		spin_lock(&cpu->lock);
		to->bytes += cpu->bytes;
		to->objects += cpu->objects;
		spin_unlock(&cpu->lock);
	}
}

size_t heap_check(void)
{
	size_t errors = 0;

	spin_lock(&heap_lock);
	for (unsigned class = 0; class < CLASSES; class++)
		list_for_each(pos, &partial[class]) {
			struct slab *slab = container_of(pos, struct slab, link);
			unsigned total = objects_per_slab(class), n = 0;

			for (void *o = slab->free; o && n <= total && slab_of(o) == slab; o = *(void **)o)
				n++;
			if (slab->class != class || n == 0 || n + slab->used != total
			    || page_word_of(direct_pfn(slab)) != page_kernel(0, USE_HEAP))
				errors++;
		}
	spin_unlock(&heap_lock);
	return errors;
}
