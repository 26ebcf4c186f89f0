/*
 * kernel/vdso.c - the vDSO in memory: see vdso.h.
 *
 * Its page of data and its image are two memory objects, which all processes map like files: the data lies right before the image, and cannot be made writable.  The page of data is
 * pinned for good, and written through the direct map.
 */
#include "kernel/vdso.h"
#include "arch/time.h"
#include "kernel/clock.h"
#include "vm/mmap.h"
#include "vm/object.h"

static char data_name[] = "[vvar]", image_name[] = "[vdso]";	/* of objects that never go */
static struct object *data, *image;		/* NULL: there is none; written at boot */
static void *page;				/* the data */

static size_t image_size(void)
{
	return (size_t)(time_user_image_end - time_user_image);
}

static struct object *make_object(const void *contents, size_t size, char *name)
{
	struct object *o = object_create(NULL, NULL, page_ceil(size));
	struct uio uio = uio_kernel((void *)(uintptr_t)contents, size);

	if (!o || object_write(o, &uio, 0) != (ssize)size) {
		if (o)
			object_put(o);
		return NULL;
	}
	o->name = name;
	return o;
}

int vdso_init(void)
{
	static const uint64_t nothing = 0;
	struct page_record *record;

	data = make_object(&nothing, sizeof nothing, data_name);
	if (!data || object_pin(data, 0, &record))
		return -ENOMEM;
	page = direct(record->pfn);
	clock_tell();
	image = make_object(time_user_image, image_size(), image_name);
	return image ? 0 : -ENOMEM;
}

void vdso_tell(const struct time_told *told)
{
	if (page)
		time_tell_user(page, told);
}

static int map(struct space *s, vaddr_t *at, size_t size, unsigned rights, unsigned flags, struct object *o)
{
	vaddr_t got = vm_mmap(s, *at, size, rights, MAP_PRIVATE | flags, o, 0);

	if (got & PAGE_MASK)
		return -ENOMEM;
	*at = got;
	return 0;
}

int vdso_map(struct space *s, vaddr_t hint, vaddr_t *at)
{
	size_t size = page_ceil(image_size());
	vaddr_t first = hint;

	*at = 0;
	if (!image)
		return 0;
	int error = map(s, &first, PAGE_SIZE + size, VM_READ | VM_NOWRITE, 0, data);	/* room for both */
	vaddr_t second = first + PAGE_SIZE;
	if (!error)
		error = map(s, &second, size, VM_READ | VM_EXEC, MAP_FIXED, image);
	if (!error)
		*at = second;
	return error;
}
