/*
 * arch/x86_64/xstate.c - extended state.  See xstate.h.
 */
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

enum { X87_CONTROL_DEFAULT = 0x37f, MXCSR_DEFAULT = 0x1f80 };

void xstate_fresh(void *area)
{
	uint16_t control = X87_CONTROL_DEFAULT;
	uint32_t mxcsr = MXCSR_DEFAULT;

	memset(area, 0, cpu_features.xstate_size);
	memcpy(area, &control, sizeof control);
	memcpy((char *)area + XSTATE_MXCSR, &mxcsr, sizeof mxcsr);
}

/* XRSTOR faults on unknown components, a compacted format or reserved bits of the header and of MXCSR (SDM volume 1, 13.8). */
bool xstate_check(void *area)
{
	struct xstate_header *header = (struct xstate_header *)((char *)area + XSTATE_LEGACY_SIZE);
	uint32_t mxcsr;

	memcpy(&mxcsr, (char *)area + XSTATE_MXCSR, sizeof mxcsr);
	if (mxcsr & ~cpu_features.mxcsr_mask)
		return false;
	if (!cpu_features.xsave)
		return true;
	if ((header->present & ~cpu_features.xfeatures) || header->compacted)
		return false;
	for (int i = 0; i < 6; i++)
		if (header->reserved[i])
			return false;
	return true;
}
