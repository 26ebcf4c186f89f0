/* vm/page.c - the lock in a table's word, when it is not to be had at once; see page.h. */
#include "vm/page.h"

void table_lock_slow(pfn_t table)
{
	lock_contended("table");
	do {
		while (page_word_of(table) & TABLE_LOCKED)
			spin_wait();
	} while (__atomic_fetch_or(&pages[table], TABLE_LOCKED, __ATOMIC_ACQUIRE) & TABLE_LOCKED);
}
