/*
 * kernel/files.c - file descriptors of a process; see files.h.
 *
 * A plain array of slots, doubled as it fills.  `lowest_free` is at or below the lowest free slot, so that the search seldom takes more than a step.
 * Threads share a table: a descriptor may be another's between any two calls here.  Files are put after the table's lock is dropped: the last reference
 * to one may sleep.
 */
#include "kernel/files.h"
#include "fs/pipe.h"
#include "fs/unix.h"
#include "kernel/process.h"
#include "fs/locks.h"
#include "vm/heap.h"
#include "lib/string.h"

enum { FIRST_SLOTS = 16 };

struct slot { struct file *file; bool close_on_exec; };

struct file_table {
	struct mutex lock;
	unsigned refs;			/* atomic */
	int nslots, lowest_free;	/* lock, as the slots */
	struct slot *slots;
};

static struct file_table *table_create(int nslots)
{
	struct file_table *t = kmalloc(sizeof *t);
	struct slot *slots = kzalloc((size_t)nslots * sizeof *slots);

	if (!t || !slots) {
		kfree(t);
		kfree(slots);
		return NULL;
	}
	*t = (struct file_table){ .refs = 1, .nslots = nslots, .slots = slots };
	mutex_init(&t->lock, "files", RANK_FILES);
	return t;
}

struct file_table *files_create(void)
{
	return table_create(FIRST_SLOTS);
}

struct file_table *files_copy(struct file_table *from)
{
	mutex_lock(&from->lock);
	struct file_table *t = table_create(from->nslots);
	if (t) {
		for (int fd = 0; fd < from->nslots; fd++)
			if (from->slots[fd].file) {
				t->slots[fd] = from->slots[fd];
				file_ref(t->slots[fd].file);
			}
		t->lowest_free = from->lowest_free;
	}
	mutex_unlock(&from->lock);
	return t;
}

struct file_table *files_share(struct file_table *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

bool files_shared(struct file_table *t)
{
	return __atomic_load_n(&t->refs, __ATOMIC_RELAXED) > 1;
}

int files_unshare(struct process *p)
{
	struct file_table *shared = p->files, *own;

	if (p->nthreads > 1)
		return -EINVAL;
	if (!files_shared(shared))
		return 0;
	own = files_copy(shared);
	if (!own)
		return -ENOMEM;
	mutex_lock(&tree_lock);
	p->files = own;
	mutex_unlock(&tree_lock);
	files_put(shared);
	return 0;
}

/* A process that closes any descriptor of a file loses its record locks on it.  A socket that messages hold may have been held by nothing else. */
WARM void close_file(struct file_table *t, struct file *f)
{
	if (!f)
		return;
	bool in_flight = unix_in_flight(f);
	locks_drop_owner(f->vnode, t);
	if (__builtin_expect(f->ops->closed != NULL, 0))
		f->ops->closed(f);
	file_put(f);
	if (in_flight)
		unix_collect();
}

void files_put(struct file_table *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (int fd = 0; fd < t->nslots; fd++)
		close_file(t, t->slots[fd].file);
	kfree(t->slots);
	kfree(t);
}

static bool is_open(const struct file_table *t, int fd)
{
	return fd >= 0 && fd < t->nslots && t->slots[fd].file;
}

struct file *files_get(struct file_table *t, int fd)
{
	mutex_lock(&t->lock);
	struct file *f = is_open(t, fd) ? file_ref(t->slots[fd].file) : NULL;
	mutex_unlock(&t->lock);
	return f;
}

static int limit(void)
{
	uint64_t most = current->limits[LIMIT_NOFILE].cur;

	return most < INT32_MAX / 2 ? (int)most : INT32_MAX / 2;
}

/* The table is to have a slot for fd. */
static int grow(struct file_table *t, int fd)
{
	int n = t->nslots;

	while (n <= fd)
		n *= 2;
	if (n == t->nslots)
		return 0;
	struct slot *slots = kzalloc((size_t)n * sizeof *slots);
	if (!slots)
		return -ENOMEM;
	memcpy(slots, t->slots, (size_t)t->nslots * sizeof *slots);
	kfree(t->slots);
	t->slots = slots;
	t->nslots = n;
	return 0;
}

/* t->lock is held. */
static int install_locked(struct file_table *t, struct file *f, int from, bool close_on_exec)
{
	int fd = from > t->lowest_free ? from : t->lowest_free;

	while (fd < t->nslots && t->slots[fd].file)
		fd++;
	if (fd >= limit())
		return -EMFILE;
	int error = grow(t, fd);
	if (error)
		return error;
	t->slots[fd] = (struct slot){ f, close_on_exec };
	if (from <= t->lowest_free)
		t->lowest_free = fd + 1;
	return fd;
}

int files_check_room(struct file_table *t)
{
	mutex_lock(&t->lock);
	int fd = t->lowest_free;
	while (fd < t->nslots && t->slots[fd].file)
		fd++;
	int error = fd >= limit() ? -EMFILE : 0;
	mutex_unlock(&t->lock);
	return error;
}

int files_install(struct file_table *t, struct file *f, int from, bool close_on_exec)
{
	mutex_lock(&t->lock);
	int fd = install_locked(t, f, from, close_on_exec);
	mutex_unlock(&t->lock);
	return fd;
}

int files_replace(struct file_table *t, struct file *f, int fd, bool close_on_exec)
{
	struct file *old = NULL;

	if (fd < 0 || fd >= limit())
		return -EBADF;
	mutex_lock(&t->lock);
	int error = grow(t, fd);
	if (!error) {
		old = t->slots[fd].file;
		t->slots[fd] = (struct slot){ f, close_on_exec };
	}
	mutex_unlock(&t->lock);
	close_file(t, old);
	return error ? error : fd;
}

/* t->lock is held, fd is open: its reference is the caller's now. */
static struct file *take_out(struct file_table *t, int fd)
{
	struct file *f = t->slots[fd].file;

	t->slots[fd] = (struct slot){ NULL, false };
	if (fd < t->lowest_free)
		t->lowest_free = fd;
	return f;
}

int files_close(struct file_table *t, int fd)
{
	mutex_lock(&t->lock);
	struct file *f = is_open(t, fd) ? take_out(t, fd) : NULL;
	mutex_unlock(&t->lock);
	close_file(t, f);
	return f ? 0 : -EBADF;
}

void files_uninstall(struct file_table *t, int fd, const struct file *f)
{
	mutex_lock(&t->lock);
	struct file *gone = is_open(t, fd) && t->slots[fd].file == f ? take_out(t, fd) : NULL;
	mutex_unlock(&t->lock);
	close_file(t, gone);
}

bool files_has(struct file_table *t, int fd, const struct file *f)
{
	mutex_lock(&t->lock);
	bool has = is_open(t, fd) && t->slots[fd].file == f;
	mutex_unlock(&t->lock);
	return has;
}

void files_close_on_exec(struct file_table *t)
{
	struct file *f;
	int fd = 0;

	do {
		mutex_lock(&t->lock);
		while (fd < t->nslots && !(t->slots[fd].file && t->slots[fd].close_on_exec))
			fd++;
		f = fd < t->nslots ? take_out(t, fd) : NULL;
		mutex_unlock(&t->lock);
		close_file(t, f);
	} while (f);
}

int files_get_close_on_exec(struct file_table *t, int fd)
{
	mutex_lock(&t->lock);
	int on = is_open(t, fd) ? t->slots[fd].close_on_exec : -EBADF;
	mutex_unlock(&t->lock);
	return on;
}

int files_set_close_on_exec(struct file_table *t, int fd, bool on)
{
	mutex_lock(&t->lock);
	int error = is_open(t, fd) ? 0 : -EBADF;
	if (!error)
		t->slots[fd].close_on_exec = on;
	mutex_unlock(&t->lock);
	return error;
}

int files_next(struct file_table *t, int fd)
{
	mutex_lock(&t->lock);
	if (fd < 0)
		fd = 0;
	while (fd < t->nslots && !t->slots[fd].file)
		fd++;
	if (fd >= t->nslots)
		fd = -1;
	mutex_unlock(&t->lock);
	return fd;
}

int files_size(struct file_table *t)
{
	return __atomic_load_n(&t->nslots, __ATOMIC_RELAXED);
}

size_t files_pipe_frames(struct file_table *t)
{
	size_t n = 0;

	if (!mutex_trylock(&t->lock))
		return 0;
	for (int fd = 0; fd < t->nslots; fd++)
		if (t->slots[fd].file)
			n += pipe_frames(t->slots[fd].file);
	mutex_unlock(&t->lock);
	return n;
}
