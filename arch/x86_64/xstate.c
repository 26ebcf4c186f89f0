/*
 * arch/x86_64/xstate.c - areas of extended register state that do not come from the processor: fresh ones, and those that a program has written.
 */
#include "arch/x86_64/x86.h"
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

void xstate_reset(void *area)
{
	struct xstate *x = area;

	memset(x, 0, cpu_features.xstate_size);
	x->control = X87_CONTROL_DEFAULT;
	x->mxcsr = MXCSR_DEFAULT;
}

bool xstate_sane(struct xstate *x, size_t size)
{
	struct xstate_software sw;

	if (x->mxcsr & ~cpu_features.mxcsr_mask)
		return false;
	if (!cpu_features.xsave)
		return true;
	memcpy(&sw, x->software, sizeof sw);
	if (size < cpu_features.xstate_size || sw.magic1 != XSTATE_MAGIC) {		/* only FXSAVE's part: the rest is as after a start */
		memset(&x->features, 0, cpu_features.xstate_size - FXSAVE_SIZE);
		x->features = 3;
		return true;
	}
	for (size_t i = 0; i < sizeof x->reserved / sizeof x->reserved[0]; i++)
		if (x->reserved[i])
			return false;
	return !(x->features & ~cpu_features.xfeatures) && !x->compaction;
}
