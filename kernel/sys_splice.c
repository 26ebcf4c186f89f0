/*
 * kernel/sys_splice.c - splice, tee and vmsplice: bytes between a pipe and another file, two pipes, or a pipe and user memory.
 *
 * What is moved from a file into a pipe is a copy (Linux may move the page itself), so SPLICE_F_MOVE and SPLICE_F_GIFT have no effect.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"

enum { SPLICE_MOVE = 1, SPLICE_NONBLOCK = 2, SPLICE_MORE = 4, SPLICE_GIFT = 8, SPLICE_ALL = 15 };

/* An offset by address: NULL is the file's own position. */
static int get_offset(struct file *f, vaddr_t at, uint64_t *pos)
{
	if (!at)
		return 0;
	if (file_is_pipe(f))
		return -ESPIPE;
	return user_get(*pos, at);
}

static ssize splice_files(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, size_t n, bool wait)
{
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (file_is_pipe(in) && file_is_pipe(out))
		return pipe_to_pipe(in, out, n, wait && !((in->flags | out->flags) & OPEN_NONBLOCK), false);
	struct file *other = file_is_pipe(in) ? out : in;
	uint64_t *pos = file_is_pipe(in) ? out_pos : in_pos;
	if (S_ISDIR(other->vnode->mode) || other->ops->seek == file_zero_seek || (pos && other->ops->seek == file_no_seek))
		return -EINVAL;			/* those of file_zero_seek give and take whole records (eventfd, timerfd and their kin) */
	if (pos && (int64_t)*pos < 0)
		return -EINVAL;
	if (file_is_pipe(out))
		return pipe_from_file(out, in, in_pos, n, wait && !(out->flags & OPEN_NONBLOCK));
	if (!file_is_pipe(in) || out->flags & OPEN_APPEND)
		return -EINVAL;
	int error = S_ISREG(out->vnode->mode) ? vfs_before_change(my_fs(), out->vnode) : 0;
	return error ? error : pipe_to_file(in, out, out_pos, n, wait && !(in->flags & OPEN_NONBLOCK));
}

static ssize splice(struct file *in, vaddr_t in_at, struct file *out, vaddr_t out_at, size_t n, bool wait)
{
	uint64_t in_pos, out_pos;
	int error = get_offset(in, in_at, &in_pos);

	if (!error)
		error = get_offset(out, out_at, &out_pos);
	if (error)
		return error;
	ssize done = splice_files(in, in_at ? &in_pos : NULL, out, out_at ? &out_pos : NULL, n < IO_MAX ? n : IO_MAX, wait);
	if (done > 0 && ((in_at && user_put(in_at, in_pos)) || (out_at && user_put(out_at, out_pos))))
		return -EFAULT;
	return done;
}

/* splice(in, in_offset, out, out_offset, len, flags) */
long sys_splice(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[5];

	if (args[4] == 0)
		return 0;
	if (flags & ~(unsigned)SPLICE_ALL)
		return -EINVAL;
	struct file *in = files_get(current->files, (int)args[0]), *out = files_get(current->files, (int)args[2]);
	ssize n = in && out ? splice(in, args[1], out, args[3], args[4], !(flags & SPLICE_NONBLOCK)) : -EBADF;
	file_put(in);
	file_put(out);
	return io_result(n);
}

static ssize tee(struct file *in, struct file *out, size_t n, bool wait)
{
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out))
		return -EINVAL;
	return pipe_to_pipe(in, out, n, wait && !((in->flags | out->flags) & OPEN_NONBLOCK), true);
}

/* tee(in, out, len, flags) */
long sys_tee(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[3];

	if (flags & ~(unsigned)SPLICE_ALL)
		return -EINVAL;
	if (args[2] == 0)
		return 0;
	struct file *in = files_get(current->files, (int)args[0]), *out = files_get(current->files, (int)args[1]);
	ssize n = in && out ? tee(in, out, args[2], !(flags & SPLICE_NONBLOCK)) : -EBADF;
	file_put(in);
	file_put(out);
	return io_result(n);
}

/* The first piece may have to be waited for, the others go as far as they can. */
static ssize splice_vector(struct file *f, const struct vector *v, bool wait)
{
	bool writes = file_writable(f);
	size_t done = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct uio uio = v->v[i];

		if (uio.left == 0)
			continue;
		ssize n = writes ? pipe_put_some(f, &uio, wait && !done) : pipe_take_some(f, &uio, wait && !done);
		if (n < 0)
			return done ? (ssize)done : n;
		done += (size_t)n;
		if (uio.left)
			break;
	}
	return (ssize)done;
}

static ssize vmsplice(struct file *f, vaddr_t vector, size_t count, bool wait)
{
	struct vector v;

	if (f->flags & OPEN_PATH)
		return -EBADF;
	int error = vector_get(&v, vector, count);
	if (error)
		return error;
	ssize n = v.total == 0 ? 0 : !file_is_pipe(f) ? -EBADF : splice_vector(f, &v, wait && !(f->flags & OPEN_NONBLOCK));
	vector_drop(&v);
	return n;
}

/* vmsplice(fd, vector, count, flags): what is open for writing takes the bytes, else it gives them. */
long sys_vmsplice(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[3];

	if (flags & ~(unsigned)SPLICE_ALL)
		return -EINVAL;
	struct file *f = files_get(current->files, (int)args[0]);
	ssize n = f ? vmsplice(f, args[1], args[2], !(flags & SPLICE_NONBLOCK)) : -EBADF;
	file_put(f);
	return io_result(n);
}
