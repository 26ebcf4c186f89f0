/*
 * kernel/oom.c - out of memory: which process is to die.
 *
 * As on Linux: the one whose death gives the most back (pages that are resident, but for those borrowed from the boot image; page tables; what its pipes
 * hold), shifted by its oom_score_adj.  The first process never dies, and a shell that it started, which leads a session, only when nobody else can.
 * While one that was chosen has not gone, no other is chosen; its pages are taken at once, as it may be waiting for a lock that the one who needs memory holds.
 */
#include "kernel/files.h"
#include "kernel/life.h"
#include "lib/print.h"
#include "vm/frame.h"

size_t oom_memory(const struct process *p)
{
	if (!p->space)
		return 0;
	return space_owned(p->space) + space_tables(p->space) + (p->files ? files_pipe_frames(p->files) : 0);
}

long oom_badness(const struct process *p)
{
	struct frame_stats frames;

	frame_get_stats(&frames);
	return (long)oom_memory(p) + (long)(frames.managed / 1000) * p->oom_score_adj;
}

static bool is_shell(const struct process *p)
{
	return p->pid == p->sid && p->parent && p->parent->pid == 1;
}

/* The one to die, or NULL.  *dying: one that was killed has not gone yet; what it has is taken from it.  tree_lock held. */
static struct process *choose(bool *dying)
{
	struct process *victim = NULL;
	long worst = 0;

	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);

		if (p->state != PROCESS_ALIVE || p->pid == 1 || !p->space)
			continue;
		if (process_killed(p) && (!p->exiting || p->exit_status == SIGKILL)) {
			*dying = true;
			space_reap(p->space);
		}
		if (p->exiting || p->oom_score_adj == OOM_NEVER || *dying)
			continue;
		long score = oom_badness(p);
		if (!victim || (is_shell(victim) && !is_shell(p)) || (score > worst && is_shell(victim) == is_shell(p))) {
			victim = p;
			worst = score;
		}
	}
	return *dying ? NULL : victim;
}

/* Nothing comes free before the last who runs on the victim's space is gone: they die together, as on Linux.  tree_lock held. */
static void kill_all_on(const struct space *space)
{
	list_for_each(pos, &process_list) {
		struct process *p = container_of(pos, struct process, all);

		if (p->state == PROCESS_ALIVE && p->pid != 1 && p->space == space)
			signal_send_process(p, SIGKILL, NULL);
	}
}

uint64_t oom_kills;

bool oom_kill(void)
{
	const struct process *self = current;
	bool dying = false;

	mutex_lock(&tree_lock);
	struct process *victim = choose(&dying);
	if (victim) {
		kprintf("faultline: out of memory: killed process %d (%s), which had %zu KiB, oom_score_adj %d: process %d (%s) needs memory, and %zu KiB are free\n",
			victim->pid, victim->name, oom_memory(victim) * (PAGE_SIZE / 1024), (int)victim->oom_score_adj, self->pid, self->name,
			frame_free_count() * (PAGE_SIZE / 1024));
		__atomic_add_fetch(&oom_kills, 1, __ATOMIC_RELAXED);
		kill_all_on(victim->space);
		space_reap(victim->space);
	}
	mutex_unlock(&tree_lock);
	return victim || dying;
}
