/*
 * kernel/ipc.c - keys, numbers and rights of System V IPC; see ipc.h.
 *
 * An object is found under the table's lock, gets a reference, and is locked after that has been dropped: so nobody waits for one object with the table locked.
 */
#include "kernel/ipc.h"
#include "kernel/process.h"

bool ipc_permitted(const struct ipc_perm *p, unsigned wanted)
{
	struct process *me = current;
	unsigned granted = p->mode;

	wanted |= wanted >> 6 | wanted >> 3;
	if (me->euid == p->cuid || me->euid == p->uid)
		granted >>= 6;
	else if (fs_context_in_group(&me->fs, p->cgid) || fs_context_in_group(&me->fs, p->gid))
		granted >>= 3;
	return !(wanted & ~granted & 7) || capable(CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_perm *p)
{
	return current->euid == p->uid || current->euid == p->cuid || capable(CAP_SYS_ADMIN);
}

/* ---- finding ---------------------------------------------------------------------------------- */

enum { INDEX_MASK = (1 << IPC_INDEX_BITS) - 1 };

static struct ipc_object *at_index(const struct ipc_table *t, int index)
{
	return index >= 0 && index < IPC_OBJECTS ? t->slots[index] : NULL;
}

/* The table's lock is held, and dropped here. */
static struct ipc_object *lock_found(struct ipc_table *t, struct ipc_object *o, long *error)
{
	if (o)
		o->refs++;
	mutex_unlock(&t->lock);
	*error = -EINVAL;
	if (!o)
		return NULL;
	mutex_lock(&o->lock);
	if (!o->removed)
		return o;
	*error = -EIDRM;
	ipc_done(t, o);
	return NULL;
}

struct ipc_object *ipc_lock(struct ipc_table *t, int id, long *error)
{
	mutex_lock(&t->lock);
	struct ipc_object *o = id >= 0 ? at_index(t, id & INDEX_MASK) : NULL;
	return lock_found(t, o && o->id == id ? o : NULL, error);
}

struct ipc_object *ipc_lock_index(struct ipc_table *t, int index, long *error)
{
	mutex_lock(&t->lock);
	return lock_found(t, at_index(t, index & INDEX_MASK), error);
}

/* The table's lock is held. */
static void put(struct ipc_table *t, struct ipc_object *o)
{
	if (--o->refs == 0)
		t->free(o);
}

void ipc_done(struct ipc_table *t, struct ipc_object *o)
{
	mutex_unlock(&o->lock);
	mutex_lock(&t->lock);
	put(t, o);
	mutex_unlock(&t->lock);
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	o->removed = true;
	mutex_unlock(&o->lock);
	mutex_lock(&t->lock);
	if (t->slots[o->id & INDEX_MASK] == o) {
		t->slots[o->id & INDEX_MASK] = NULL;
		t->used--;
		put(t, o);
	}
	mutex_unlock(&t->lock);
	mutex_lock(&o->lock);
}

int ipc_highest(struct ipc_table *t)
{
	int highest = 0;
	mutex_lock(&t->lock);
	for (int i = 0; i < IPC_OBJECTS; i++)
		highest = t->slots[i] ? i : highest;
	mutex_unlock(&t->lock);
	return highest;
}

/* ---- making ----------------------------------------------------------------------------------- */

static struct ipc_object *with_key(const struct ipc_table *t, int32_t key)
{
	for (unsigned i = 0; i < IPC_OBJECTS; i++)
		if (t->slots[i] && t->slots[i]->perm.key == key && !t->slots[i]->removed)
			return t->slots[i];
	return NULL;
}

static long use(const struct ipc_object *o, unsigned flags, const struct ipc_maker *m)
{
	if (flags & IPC_CREATE && flags & IPC_EXCLUSIVE)
		return -EEXIST;
	long error = m->check(o, m->context);
	if (error)
		return error;
	return ipc_permitted(&o->perm, flags & 0777) ? o->id : -EACCES;
}

static long create(struct ipc_table *t, int32_t key, unsigned flags, const struct ipc_maker *m)
{
	const struct process *me = current;
	unsigned index = 0;
	long error;
	if (t->used >= m->most)
		return -ENOSPC;
	while (index < IPC_OBJECTS && t->slots[index])
		index++;
	if (index == IPC_OBJECTS)
		return -ENOSPC;
	struct ipc_object *o = m->make(m->context, &error);
	if (!o)
		return error;
	uint16_t seq = (uint16_t)(t->made++ & 0x7fff);
	o->perm = (struct ipc_perm){ .key = key, .uid = me->euid, .gid = me->egid, .cuid = me->euid, .cgid = me->egid, .mode = flags & 0777, .seq = seq };
	o->id = seq << IPC_INDEX_BITS | (int)index;
	o->refs = 1;
	mutex_init(&o->lock, "ipc object", RANK_FILES + 2);
	t->slots[index] = o;
	t->used++;
	return o->id;
}

long ipc_get(struct ipc_table *t, int32_t key, unsigned flags, const struct ipc_maker *m)
{
	mutex_lock(&t->lock);
	const struct ipc_object *o = key ? with_key(t, key) : NULL;
	long result = o ? use(o, flags, m) : key && !(flags & IPC_CREATE) ? -ENOENT : create(t, key, flags, m);
	mutex_unlock(&t->lock);
	return result;
}

long ipc_set(struct ipc_object *o, const struct ipc_perm *to)
{
	if (to->uid == ~0u || to->gid == ~0u)
		return -EINVAL;
	o->perm.uid = to->uid;
	o->perm.gid = to->gid;
	o->perm.mode = (o->perm.mode & ~0777u) | (to->mode & 0777);
	return 0;
}
