/*
 * tests/host/smp/world.h - spaces and objects that several threads change at once, and what may be known of them all the same.
 *
 * A window of each space is divided into runs of pages.  A run has an owner, who alone changes its mappings (in each space that has it; fork copies spaces), or is
 * common: all do.  All threads read and write everywhere.  In each page a thread has a word of its own, its slot, which nobody else writes: so what it reads there is exact,
 * even in a page that all write.  What is written has the thread and a number in it, and is never written again.
 *
 * A view is what is known of a page of a space, a content what is known of bytes: for each slot the values that it may have, most of the time one.
 * Each counts the changes that begin or end: odd means that one is on its way, so an access that finds the same even number before and after it can have only one outcome,
 * and that is demanded: a right that was taken away does not work any more, wherever a processor may have kept it.  Otherwise the outcome may be that of before or of after, and what is read
 * must at least be something that was written to this slot.
 *
 * All this is data of the test, and changes between two points only (sim/turns.c).  Where threads really run at once there is no such thing: MODELLED is 0, and only what exists is
 * kept, under world_lock.
 */
#pragma once
#include "sim.h"
#include "vm/mmap.h"
#include "vm/object.h"

#ifdef SIM_PARALLEL
enum { MODELLED = 0 };
#else
enum { MODELLED = 1 };
#endif

enum { THREADS_MAX = 4, SPACES = 5, WINDOW_MAX = 1024, OBJECT_PAGES = 256, VALUES = 8, RUNS_MAX = WINDOW_MAX };
enum { READ_FILE, DISK_FILE, MEMORY, COMMON_FILE, COMMON_MEMORY, OBJECTS };		/* the first is never written; those that are common are mapped in common runs only */

struct slot {
	uint64_t can[VALUES];		/* what it may hold; one value: it does */
	unsigned n;
	bool any;			/* too much has happened */
	unsigned writes;		/* odd: its thread is writing */
};

struct content {
	unsigned losses;		/* odd: its bytes are being lost */
	struct slot slot[THREADS_MAX];
};

struct view {
	bool mapped, shared, vague /* nobody knows */;
	unsigned rights;
	int object;			/* -1: anonymous */
	unsigned index;
	unsigned changes;		/* odd: its mapping is being changed */
	struct content own;		/* of private memory */
};

struct place {				/* of a space */
	struct space *space;		/* NULL: free */
	unsigned users;			/* threads that do something with it */
	bool going;			/* nobody comes any more */
	struct view view[WINDOW_MAX];
};

struct shared_object {
	struct object *object;
	struct mutex writer;		/* as a vnode's: one at a time writes or truncates it */
	size_t npages;			/* its size; writer, atomic */
	unsigned changes;		/* odd: of that */
	struct content page[OBJECT_PAGES];
};

struct run { unsigned first, n, owner; };

struct program {
	uint64_t seed;
	unsigned threads, steps;	/* of each */
	enum { SPREAD, NARROW /* few pages, where all meet */, DENSE /* runs of whole leaf tables */ } style;
	unsigned fork;			/* what it does with tables */
	bool spaces;			/* several, or one and what is forked off it for a moment */
	unsigned fail;			/* one in so many steps has an allocation refused; 0: none */
	size_t memory;
	struct sim_schedule schedule;
};

/* Numbers of one thread. */
struct worker {
	unsigned id;
	uint64_t random;
	uint32_t issued;		/* the number of the last stamp */
	struct {			/* a write on its way */
		bool on;
		struct place *place;
		unsigned page;
		uint64_t stamp;
	} flight;
	struct { bool on; struct place *parent, *child; } fork;
};

extern struct program program;
extern struct place place[SPACES];
extern struct shared_object shared_object[OBJECTS];
extern struct run run[RUNS_MAX];
extern unsigned nruns, window;
extern struct worker worker[THREADS_MAX];
extern bool verbose;

static inline size_t object_npages(int object) { return __atomic_load_n(&shared_object[object].npages, __ATOMIC_RELAXED); }

void differ(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void say(const struct worker *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* world.c */
void world_boot(const struct program *);
void world_end(void);			/* all is given back, or the test ends */
void world_check(void);			/* while all threads stand */
void world_lock(void);
void world_unlock(void);
vaddr_t address_of(unsigned page);
bool is_common(unsigned page);
/* The pages of a file from `first` on are zeros on its disk. */
void disk_forget(int object, size_t first);
uint64_t random_below(struct worker *, uint64_t n);
static inline bool one_in(struct worker *w, unsigned n) { return random_below(w, n) == 0; }
/* What a file holds that has not been written. */
uint64_t file_word(int object, unsigned index, unsigned slot);

/* views.c */
struct note { uint32_t issued[THREADS_MAX]; };	/* what had been written when a change began */
enum change { KEEPS, LOSES };
struct note view_begin(struct place *, unsigned page, unsigned n, enum change);
void view_end(struct place *, unsigned page, unsigned n, enum change, const struct note *);
/* The pages have their contents as at first, but for what may have been written since. */
void content_reset(struct place *, unsigned page, unsigned n, const struct note *);
/* The contents of private pages, moved; what is written meanwhile may be on either side. */
void content_move(struct place *, unsigned from, unsigned to, unsigned n, const struct note *);
struct note object_begin(struct shared_object *, size_t first, size_t end);
void object_end(struct shared_object *, size_t first, size_t end, const struct note *);
void fork_begin(struct worker *, struct place *parent, struct place *child);
void fork_end(struct worker *, bool good);
/* A word is read or written in a view; or in an object, by the kernel. */
void access_word(struct worker *, struct place *, unsigned page, unsigned slot, bool write);
void access_object(struct worker *, int object, unsigned index, unsigned slot, bool write);
void views_start(void);

/* calls.c */
void do_first(struct worker *);	/* maps what is its own */
void do_step(struct worker *);
