/*
 * kernel/sys_io.c - system calls that move bytes: read, write and their kin, lseek, sendfile.
 */
#include "kernel/sys_file.h"
#include "kernel/sched.h"
#include "arch/uaccess.h"
#include "vm/heap.h"

/* ---- results and limits ------------------------------------------------------------------------------------------------ */

static void raise_for_self(int signo)
{
	struct siginfo info = { .signo = signo, .code = SI_USER };

	info.child.pid = current->pid;
	info.child.uid = current->uid;
	signal_send_thread(current_thread(), signo, &info);
}

long io_result(ssize n)
{
	if (n == -EINTR)
		return -ERESTARTSYS;
	if (n == -EPIPE)
		raise_for_self(SIGPIPE);
	return n == -EPIPE_QUIET ? -EPIPE : n == -EINTR_FINAL ? -EINTR : n;
}

int check_file_limit(struct vnode *v, uint64_t size)
{
	struct vattr attr;

	if (size <= current->limits[LIMIT_FSIZE].cur || (!vfs_getattr(v, &attr) && size <= attr.size))
		return 0;
	raise_for_self(SIGXFSZ);
	return -EFBIG;
}

ssize vfs_clip_write(uint64_t pos, size_t n)
{
	uint64_t limit = current->limits[LIMIT_FSIZE].cur;

	if (pos + n > INT64_MAX)
		return -EINVAL;
	if (pos >= limit) {
		raise_for_self(SIGXFSZ);
		return -EFBIG;
	}
	return n < limit - pos ? (ssize)n : (ssize)(limit - pos);
}

/* ---- one buffer -------------------------------------------------------------------------------------------------------- */

enum direction { IO_READ, IO_WRITE };

/* pos NULL: the file's own position. */
WARM ssize move(struct file *f, enum direction direction, struct uio *uio, uint64_t *pos)
{
	if (direction == IO_READ)
		return file_read(f, uio, pos);
	int error = S_ISREG(f->vnode->mode) && uio->left ? vfs_before_change(my_fs(), f->vnode) : 0;
	return error ? error : file_write(f, uio, pos);
}

/* For /proc/PID/io and the like: a call has moved so much, or failed. */
WARM void count_io(enum direction direction, ssize done)
{
	struct counts *c = &current_thread()->counts;
	uint64_t bytes = done > 0 ? (uint64_t)done : 0;

	if (direction == IO_READ) {
		c->reads++;
		c->bytes_read += bytes;
	} else {
		c->writes++;
		c->bytes_written += bytes;
	}
}

/* May these bytes be moved?  In Linux's order: where, then whether. */
WARM int check_move(const struct file *f, enum direction direction, const uint64_t *pos)
{
	if (f->flags & OPEN_PATH)
		return -EBADF;
	if (pos && f->ops->seek == file_no_seek)
		return -ESPIPE;
	return (direction == IO_READ ? file_readable(f) : file_writable(f)) ? 0 : -EBADF;
}

WARM long io_one(int fd, enum direction direction, vaddr_t base, size_t n, uint64_t *pos)
{
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	struct uio uio = uio_user(base, n < IO_MAX ? n : IO_MAX);
	ssize done = check_move(f, direction, pos);

	if (!done)
		done = user_range(base, n) ? move(f, direction, &uio, pos) : -EFAULT;
	file_put(f);
	count_io(direction, done);
	return done < 0 ? io_result(done) : done;
}

long sys_read(const unsigned long args[6])
{
	return io_one((int)args[0], IO_READ, args[1], args[2], NULL);
}

long sys_write(const unsigned long args[6])
{
	return io_one((int)args[0], IO_WRITE, args[1], args[2], NULL);
}

static long io_at(int fd, enum direction direction, vaddr_t base, size_t n, uint64_t pos)
{
	return (int64_t)pos < 0 ? -EINVAL : io_one(fd, direction, base, n, &pos);
}

long sys_pread64(const unsigned long args[6])
{
	return io_at((int)args[0], IO_READ, args[1], args[2], args[3]);
}

long sys_pwrite64(const unsigned long args[6])
{
	return io_at((int)args[0], IO_WRITE, args[1], args[2], args[3]);
}

/* ---- several buffers --------------------------------------------------------------------------------------------------- */

/* Lengths first, of all, then places. The array as the user has it lies at the end of ours, which is larger, and is read before it is written over. */
static int vector_fill(struct vector *vec, vaddr_t from)
{
	struct iovec64 *raw = (struct iovec64 *)(vec->v + vec->n) - vec->n;

	if (user_copy_in(raw, from, vec->n * sizeof *raw))
		return -EFAULT;
	for (size_t i = 0; i < vec->n; i++)
		if ((int64_t)raw[i].len < 0)
			return -EINVAL;
	vec->total = 0;
	for (size_t i = 0; i < vec->n; i++) {
		struct iovec64 v = raw[i];

		if (!user_range(v.base, v.len))
			return -EFAULT;
		if (v.len > IO_MAX - vec->total)
			v.len = IO_MAX - vec->total;
		vec->v[i] = uio_user(v.base, v.len);
		vec->total += v.len;
	}
	return 0;
}

void vector_drop(struct vector *vec)
{
	if (vec->v != vec->few)
		kfree(vec->v);
}

int vector_get(struct vector *vec, vaddr_t from, size_t n)
{
	if (n > IOV_MAX_COUNT)
		return -EINVAL;
	vec->n = n;
	vec->v = n <= IOV_FEW ? vec->few : kmalloc(n * sizeof *vec->v);
	if (!vec->v)
		return -ENOMEM;
	int error = vector_fill(vec, from);
	if (error)
		vector_drop(vec);
	return error;
}

/* A write of a few bytes goes as one, so that a pipe or an appended file gets it whole. */
static ssize write_gathered(struct file *f, const struct vector *vec, uint64_t *pos)
{
	char *all = kmalloc(vec->total);
	size_t got = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < vec->n; i++) {
		size_t missing = user_copy_in(all + got, vec->v[i].base, vec->v[i].left);
		got += vec->v[i].left - missing;
		if (missing)
			break;
	}
	struct uio uio = uio_kernel(all, got);
	ssize n = got ? move(f, IO_WRITE, &uio, pos) : -EFAULT;
	kfree(all);
	return n;
}

/* A stream that has given its bytes is not to be waited for again. */
static bool would_wait(struct file *f, enum direction direction)
{
	struct waitq *queue;

	return direction == IO_READ && f->ops->seek == file_no_seek && !(file_poll(f, &queue) & (POLL_IN | POLL_HUP));
}

static ssize move_each(struct file *f, enum direction direction, const struct vector *vec, uint64_t *pos)
{
	size_t done = 0;

	for (size_t i = 0; i < vec->n; i++) {
		struct uio uio = vec->v[i];
		size_t len = uio.left;

		if (len == 0 || (done > 0 && would_wait(f, direction)))
			continue;
		ssize n = move(f, direction, &uio, pos);
		if (n < 0)
			return done ? (ssize)done : n;
		done += (size_t)n;
		if ((size_t)n < len)
			break;
	}
	return (ssize)done;
}

static ssize move_all(struct file *f, enum direction direction, const struct vector *vec, uint64_t *pos)
{
	ssize (*move_parts)(struct file *, struct parts *) = direction == IO_READ ? f->ops->read_parts : f->ops->write_parts;
	struct parts parts = { vec->v, vec->n };

	if (move_parts)
		return pos ? -ESPIPE : move_parts(f, &parts);
	if (direction == IO_WRITE && vec->n > 1 && vec->total > 0 && vec->total <= PIPE_ATOMIC)
		return write_gathered(f, vec, pos);
	return move_each(f, direction, vec, pos);
}

static long io_vector(int fd, enum direction direction, vaddr_t from, size_t count, uint64_t *pos)
{
	struct vector vec;
	struct file *f = files_get(current->files, fd);

	if (!f)
		return -EBADF;
	ssize done = check_move(f, direction, pos);
	if (!done)
		done = vector_get(&vec, from, count);
	if (!done) {
		done = move_all(f, direction, &vec, pos);
		vector_drop(&vec);
	}
	file_put(f);
	count_io(direction, done);
	return io_result(done);
}

static long io_vector_at(const unsigned long args[6], enum direction direction)
{
	uint64_t pos = args[3];

	return (int64_t)pos < 0 ? -EINVAL : io_vector((int)args[0], direction, args[1], args[2], &pos);
}

enum { RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16, RWF_NOAPPEND = 32, RWF_KNOWN = 63 };

/* At the end of the file, wherever that is then; the file's own position follows if none was given. */
static long append_vector(const unsigned long args[6])
{
	uint64_t pos = FILE_APPEND;
	struct file *f = files_get(current->files, (int)args[0]);

	if (!f)
		return -EBADF;
	bool seeks = S_ISREG(f->vnode->mode) && f->vnode->object;
	long n = io_vector((int)args[0], IO_WRITE, args[1], args[2], seeks ? &pos : NULL);
	if (n > 0 && seeks && (int64_t)args[3] == -1)
		file_seek(f, (int64_t)pos, 0);
	file_put(f);
	return n;
}

/* preadv2 and pwritev2: position -1 is the file's own. A file without a wait in it (all but streams) does not know RWF_NOWAIT, as on Linux's tmpfs. */
static long io_vector_2(const unsigned long args[6], enum direction direction)
{
	unsigned flags = (unsigned)args[5];
	bool own = (int64_t)args[3] == -1;

	if (flags & ~(unsigned)RWF_KNOWN || (flags & RWF_NOWAIT)) {
		uint64_t pos = args[3];
		long error = (int64_t)pos < 0 && !own ? -EINVAL : io_vector((int)args[0], direction, args[1], 0, own ? NULL : &pos);
		return error ? error : -EOPNOTSUPP;
	}
	if (flags & RWF_APPEND && flags & RWF_NOAPPEND)
		return -EINVAL;
	long n = flags & RWF_APPEND && direction == IO_WRITE && (own || (int64_t)args[3] >= 0) ? append_vector(args)
		: own ? io_vector((int)args[0], direction, args[1], args[2], NULL) : io_vector_at(args, direction);
	if (n > 0 && direction == IO_WRITE && flags & (RWF_DSYNC | RWF_SYNC)) {
		long error = sync_fd((int)args[0], false);
		return error && error != -EINVAL ? error : n;
	}
	return n;
}

long sys_readv(const unsigned long args[6])    { return io_vector((int)args[0], IO_READ, args[1], args[2], NULL); }
long sys_writev(const unsigned long args[6])   { return io_vector((int)args[0], IO_WRITE, args[1], args[2], NULL); }
long sys_preadv(const unsigned long args[6])   { return io_vector_at(args, IO_READ); }
long sys_pwritev(const unsigned long args[6])  { return io_vector_at(args, IO_WRITE); }
long sys_preadv2(const unsigned long args[6])  { return io_vector_2(args, IO_READ); }
long sys_pwritev2(const unsigned long args[6]) { return io_vector_2(args, IO_WRITE); }

/* ---- position ---------------------------------------------------------------------------------------------------------- */

long sys_lseek(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long pos = (unsigned)args[2] > SEEK_TO_HOLE ? -EINVAL : file_seek(f, (int64_t)args[1], (int)args[2]);
	file_put(f);
	return pos;
}

/* ---- from file to file ------------------------------------------------------------------------------------------------- */

enum { COPY_BLOCK = 16384 };

/* Writes all of a block; the bytes that went. */
static ssize write_block(struct file *out, char *block, size_t n, uint64_t *pos)
{
	size_t done = 0;

	while (done < n) {
		struct uio uio = uio_kernel(block + done, n - done);
		ssize put = move(out, IO_WRITE, &uio, pos);
		if (put <= 0)
			return done ? (ssize)done : put;
		done += (size_t)put;
	}
	return (ssize)done;
}

/* Copies up to n bytes; *in_pos advances by what was written, so that nothing read is lost. */
static ssize copy_file(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, size_t n)
{
	char *block = kmalloc(COPY_BLOCK);
	size_t done = 0;
	ssize put = block ? 0 : -ENOMEM;

	while (block && done < n && !(done && signal_pending(current_thread()))) {
		uint64_t pos = *in_pos;
		struct uio uio = uio_kernel(block, n - done < COPY_BLOCK ? n - done : COPY_BLOCK);
		ssize got = file_read(in, &uio, &pos);

		put = got > 0 ? write_block(out, block, (size_t)got, out_pos) : got;
		if (put <= 0)
			break;
		*in_pos += (uint64_t)put;
		done += (size_t)put;
		if (put < got)
			break;
		if (sched_needed())
			sched_yield();
	}
	kfree(block);
	return done ? (ssize)done : put;
}

/* The position that a call was given by address, or (address 0) the file's own. */
static int get_position(struct file *f, vaddr_t at, uint64_t *pos)
{
	*pos = f->pos;
	if (!at)
		return 0;
	if (f->ops->seek == file_no_seek)
		return -ESPIPE;
	return user_get(*pos, at);
}

static int put_position(struct file *f, vaddr_t at, uint64_t pos)
{
	if (at)
		return user_put(at, pos);
	mutex_lock(&f->lock);
	f->pos = pos;
	mutex_unlock(&f->lock);
	return 0;
}

static ssize send_file(struct file *out, struct file *in, vaddr_t offset, size_t n)
{
	uint64_t pos;

	if (!in || !file_readable(in))
		return -EBADF;
	if (offset && in->ops->seek == file_no_seek)
		return -ESPIPE;
	if (!out || !file_writable(out))
		return -EBADF;
	if (in->ops->seek == file_no_seek || S_ISDIR(in->vnode->mode) || out->flags & OPEN_APPEND
		|| in->ops->seek == file_zero_seek || out->ops->seek == file_zero_seek)
		return -EINVAL;
	int error = get_position(in, offset, &pos);
	if (!error && ((int64_t)pos < 0 || (ssize)n < 0))
		error = -EINVAL;
	if (error)
		return error;
	ssize done = copy_file(in, &pos, out, NULL, n < IO_MAX ? n : IO_MAX);
	if (done > 0 || offset)
		error = put_position(in, offset, pos);
	return error ? error : done;
}

long sys_sendfile(const unsigned long args[6])
{
	struct file *out = files_get(current->files, (int)args[0]), *in = files_get(current->files, (int)args[1]);
	ssize n = send_file(out, in, args[2], args[3]);

	file_put(out);
	file_put(in);
	return io_result(n);
}

/* In Linux's order; *n is cut to what there is. */
static int check_copy(struct file *in, uint64_t from, struct file *out, uint64_t to, size_t *n)
{
	struct vattr attr;

	if (S_ISDIR(in->vnode->mode) || S_ISDIR(out->vnode->mode))
		return -EISDIR;
	if (!S_ISREG(in->vnode->mode) || !S_ISREG(out->vnode->mode))
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || out->flags & OPEN_APPEND)
		return -EBADF;
	if (in->vnode->mount != out->vnode->mount)
		return -EXDEV;
	if (from + *n < from || to + *n < to)
		return -EOVERFLOW;
	if ((int64_t)from < 0 || (int64_t)to < 0)
		return -EINVAL;
	if (to >= FILE_MAX)
		return -EFBIG;
	int error = vfs_getattr(in->vnode, &attr);
	if (error)
		return error;
	uint64_t left = from < attr.size ? attr.size - from : 0;
	if (*n > left)
		*n = left;
	if (*n > IO_MAX)
		*n = IO_MAX;
	if (*n > FILE_MAX - to)
		*n = FILE_MAX - to;
	ssize fits = *n ? vfs_clip_write(to, *n) : 0;
	if (fits < 0)
		return (int)fits;
	*n = (size_t)fits;
	return in->vnode == out->vnode && from < to + *n && to < from + *n ? -EINVAL : 0;
}

static ssize copy_range(struct file *in, vaddr_t in_at, struct file *out, vaddr_t out_at, size_t n, unsigned flags)
{
	uint64_t from, to;

	int error = get_position(in, in_at, &from);
	if (!error)
		error = get_position(out, out_at, &to);
	if (!error && flags)
		error = -EINVAL;
	if (!error)
		error = check_copy(in, from, out, to, &n);
	if (error)
		return error;
	ssize done = copy_file(in, &from, out, &to, n);
	if (done > 0)
		error = put_position(in, in_at, from);
	if (done > 0 && !error)
		error = put_position(out, out_at, to);
	return error ? error : done;
}

long sys_copy_file_range(const unsigned long args[6])
{
	struct file *in = files_get(current->files, (int)args[0]), *out = files_get(current->files, (int)args[2]);
	ssize n = out && in && !((in->flags | out->flags) & OPEN_PATH) ? copy_range(in, args[1], out, args[3], args[4], (unsigned)args[5]) : -EBADF;

	file_put(out);
	file_put(in);
	return io_result(n);
}
