/*
 * kernel/exec_script.c - scripts: a file that begins with "#! interpreter [argument]".
 *
 * The interpreter runs with the arguments: interpreter, argument (all of the rest of the line, without blanks at its ends), the
 * script's path, and then the script's own arguments from argv[1] on.  As on Linux only the first 256 bytes count; a line that is
 * longer is cut off in its argument, but not in the interpreter's path.
 */
#include "kernel/exec.h"
#include "lib/string.h"
#include "vm/heap.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The line without '#!', NUL-terminated, blanks at its end removed.  NULL: the interpreter's path is cut off or missing. */
static char *trim(char *line, size_t got)
{
	char *text = line + 2, *end = memchr(line, '\n', got);
	if (!end) {
		end = line + got;
		char *p = text;
		while (p < end && is_blank(*p))
			p++;
		while (p < end && !is_blank(*p) && *p)
			p++;
		if (p == end && got == EXEC_SCRIPT_LINE - 1)
			return NULL;
	}
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*text))
		text++;
	return *text ? text : NULL;
}

static void prepend(struct exec *e, const char *string)
{
	e->script_string[--e->first_script_string] = string;
}

/* "interpreter argument" is split in place. */
static void prepend_line(struct exec *e, char *text)
{
	char *blank = text;
	while (*blank && !is_blank(*blank))
		blank++;
	if (*blank) {
		*blank++ = '\0';
		while (is_blank(*blank))
			blank++;
		if (*blank)
			prepend(e, blank);
	}
	prepend(e, text);
}

int exec_script(struct exec *e, const char *path)
{
	struct object *object = e->file->vnode->object;
	char *line = kmalloc(EXEC_SCRIPT_LINE);
	if (!line)
		return -ENOMEM;
	struct uio uio = uio_kernel(line, EXEC_SCRIPT_LINE - 1);
	ssize got = object_read(object, &uio, 0);
	if (got < 2 || line[0] != '#' || line[1] != '!') {
		kfree(line);
		return got < 0 ? (int)got : 0;
	}
	if (e->script_lines > EXEC_SCRIPT_DEPTH) {
		kfree(line);
		return -ELOOP;
	}
	e->script_line[e->script_lines++] = line;
	line[got] = '\0';
	char *text = trim(line, (size_t)got);
	if (!text)
		return -ENOEXEC;
	if (e->script_lines == 1)
		prepend(e, path);		/* later ones are there already, as the interpreter of the one before */
	prepend_line(e, text);
	return 1;
}
