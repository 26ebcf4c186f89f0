/*
 * vm/check.h - vm_check: walks every page table, region tree, object and free list and compares them with the page words and records.
 */
#pragma once
#include "vm/types.h"
#include "abi/faultline.h"

/*
 * Fills all of `report` that vm/ knows; each discrepancy is printed and counted in report->errors.
 * => the caller sees to it that nothing else runs in vm/ (one processor: it does not sleep).
 */
void vm_check(struct vmcheck *report);
