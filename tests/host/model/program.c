/* tests/host/model/program.c - see program.h. */
#include <stdlib.h>
#include <string.h>
#include "program.h"

const char *const op_name[OPS] = {
#define OP_STRING(name, arguments) #name,
	PROGRAM_OPS(OP_STRING)
#undef OP_STRING
};

static void print_step(const struct step *s, FILE *to)
{
	unsigned n = ARGUMENTS;

	while (n > 1 && s->a[n - 1] == 0)
		n--;
	fprintf(to, "\t\t{ OP_%s, %u, { ", op_name[s->op], s->who);
	for (unsigned i = 0; i < n; i++)
		fprintf(to, s->a[i] < 10 ? "%s%lu" : "%s%#lx", i ? ", " : "", s->a[i]);
	fputs(" }", to);
	if (s->seek)
		fputs(", .seek = 1", to);
	if (s->fail)
		fprintf(to, ", .fail = %u", s->fail);
	if (s->slow)
		fprintf(to, ", .slow = %u", s->slow);
	if (s->io_error)
		fprintf(to, ", .io_error = %u", s->io_error);
	fputs(" },\n", to);
}

void program_print(const struct program *p, FILE *to)
{
	fprintf(to, "\tPROGRAM(\"what it found\", %u, %u, %u, %u,\n", p->threads, p->kib, p->window, p->policy);
	for (unsigned i = 0; i < p->nsteps; i++)
		print_step(&p->step[i], to);
	fputs("\t),\n", to);
}

struct program program_copy(const struct program *p)
{
	struct program copy = *p;

	copy.step = malloc((p->nsteps + 1) * sizeof *copy.step);
	memcpy(copy.step, p->step, p->nsteps * sizeof *copy.step);
	return copy;
}

void program_free(struct program *p)
{
	free(p->step);
	p->step = NULL;
}
