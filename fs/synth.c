/*
 * fs/synth.c - files whose text is made when they are read; see synth.h.
 *
 * Locks: file->lock, which file_read holds for the reads without a position of their own; a pread takes the state as it is, so the text is
 * guarded by synth_file's own mutex.
 */
#include "fs/synth.h"
#include "fs/vfs.h"
#include "vm/heap.h"
#include "lib/print.h"
#include "lib/string.h"

enum { FIRST_ROOM = 512, TEXT_MAX = 16 << 20, WRITE_MAX = 4096 };

struct synth_file {
	struct mutex lock;		/* text */
	const struct synth *synth;
	void *arg;
	struct text text;
};

/* ---- text -------------------------------------------------------------------------------------------------------------- */

/* Makes room for n more bytes and a NUL. */
static bool make_room(struct text *t, size_t n)
{
	size_t needed = t->len + n + 1, size = t->room ? t->room : FIRST_ROOM;

	if (t->error || needed <= t->room)
		return !t->error;
	while (size < needed)
		size *= 2;
	char *at = size <= TEXT_MAX ? kmalloc(size) : NULL;
	if (!at) {
		t->error = -ENOMEM;
		return false;
	}
	if (t->len)
		memcpy(at, t->at, t->len);
	kfree(t->at);
	t->at = at;
	t->room = size;
	return true;
}

void text_free(struct text *t)
{
	kfree(t->at);
	*t = (struct text){ .error = 0 };
}

void text_append(struct text *t, const void *bytes, size_t n)
{
	if (!make_room(t, n))
		return;
	memcpy(t->at + t->len, bytes, n);
	t->len += n;
}

void text_print(struct text *t, const char *format, ...)
{
	va_list args;

	if (!make_room(t, 1))
		return;
	va_start(args, format);
	int n = vsnprintf(t->at + t->len, t->room - t->len, format, args);
	va_end(args);
	if (n < 0 || !make_room(t, (size_t)n))
		return;
	va_start(args, format);
	vsnprintf(t->at + t->len, t->room - t->len, format, args);
	va_end(args);
	t->len += (size_t)n;
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

/* Makes the text anew. */
static int remake(struct file *f, struct synth_file *s)
{
	s->text.len = 0;
	s->text.error = 0;
	int error = s->synth->make(&s->text, f->vnode, s->arg);
	return error ? error : s->text.error;
}

static ssize synth_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct synth_file *s = f->data;
	int error = 0;
	ssize n = 0;

	if (!s->synth->make)
		return -EINVAL;
	mutex_lock(&s->lock);
	if (*pos == 0 || !s->text.at)
		error = remake(f, s);
	if (!error && *pos < s->text.len) {
		size_t rest = s->text.len - *pos, all = rest < uio->left ? rest : uio->left;
		n = (ssize)uio_out(uio, s->text.at + *pos, all);
		if (n == 0 && all > 0)
			error = -EFAULT;
		*pos += (uint64_t)n;
	}
	mutex_unlock(&s->lock);
	return error ? error : n;
}

static ssize synth_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct synth_file *s = f->data;
	size_t len = uio->left;

	if (!s->synth->take || len >= WRITE_MAX)
		return -EINVAL;
	char *string = kmalloc(len + 1);
	if (!string)
		return -ENOMEM;
	int error = uio_in(uio, string, len) < len ? -EFAULT : 0;
	string[len] = '\0';
	if (!error)
		error = s->synth->take(f->vnode, s->arg, string, len);
	kfree(string);
	if (!error)
		*pos += len;
	return error ? error : (ssize)len;
}

static void synth_release(struct file *f)
{
	struct synth_file *s = f->data;

	kfree(s->text.at);
	kfree(s);
}

static const struct file_ops synth_ops = { .read = synth_read, .write = synth_write, .release = synth_release };

int synth_open(struct file *f, const struct synth *synth, void *arg)
{
	struct synth_file *s = kzalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock, "synth", RANK_FILE + 1);
	s->synth = synth;
	s->arg = arg;
	f->ops = &synth_ops;
	f->data = s;
	return 0;
}
