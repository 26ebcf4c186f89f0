/* tests/guest/sysvipc.c - System V semaphores and message queues. */
#include "tap.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sched.h>
#include <sys/sem.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static int set(int n, int mode)
{
	int id = semget(IPC_PRIVATE, (int)n, IPC_CREAT | mode);
	NEED(id >= 0);
	return id;
}

static int op(int id, int number, int change, int flags)
{
	struct sembuf b = { (unsigned short)number, (short)change, (short)flags };
	return semop(id, &b, 1);
}

static int value(int id, int number) { return semctl(id, number, GETVAL); }
static void drop(int id) { EQ(semctl(id, 0, IPC_RMID), 0); }

TEST(semget_and_its_errors)
{
	key_t key = 0x5e3a0000 + getpid() % 65536;
	FAILS(semget(key, 1, 0600), ENOENT);
	FAILS(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	FAILS(semget(IPC_PRIVATE, -1, IPC_CREAT | 0600), EINVAL);
	FAILS(semget(IPC_PRIVATE, 32001, IPC_CREAT | 0600), EINVAL);
	int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0640);
	NEED(id >= 0);
	FAILS(semget(key, 3, IPC_CREAT | IPC_EXCL | 0640), EEXIST);
	EQ(semget(key, 0, 0), id);
	EQ(semget(key, 2, 0600), id);
	FAILS(semget(key, 4, 0600), EINVAL);
	struct semid_ds ds;
	EQ(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	EQ(ds.sem_nsems, 3);
	EQ(ds.sem_perm.mode & 0777, 0640);
	EQ(ds.sem_perm.uid, geteuid());
	EQ(ds.sem_otime, 0);
	CHECK(ds.sem_ctime > 1600000000);
	ds.sem_perm.mode = 0600;
	EQ(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }), 0);
	EQ(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	EQ(ds.sem_perm.mode & 0777, 0600);
	drop(id);
	FAILS(semctl(id, 0, GETVAL), EINVAL);
	FAILS(op(id, 0, 1, 0), EINVAL);
	FAILS(semget(key, 0, 0), ENOENT);
	FAILS(semctl(-1, 0, GETVAL), EINVAL);
}

TEST(values)
{
	int id = set(4, 0600);
	unsigned short all[4] = { 1, 2, 3, 4 }, back[4] = { 0 };
	EQ(value(id, 0), 0);
	EQ(semctl(id, 1, SETVAL, (union semun){ .val = 7 }), 0);
	EQ(value(id, 1), 7);
	EQ(semctl(id, 1, GETPID), getpid());
	FAILS(semctl(id, 1, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	FAILS(semctl(id, 1, SETVAL, (union semun){ .val = -1 }), ERANGE);
	FAILS(semctl(id, 4, GETVAL), EINVAL);
	EQ(semctl(id, 0, SETALL, (union semun){ .array = all }), 0);
	EQ(semctl(id, 0, GETALL, (union semun){ .array = back }), 0);
	CHECK(!memcmp(all, back, sizeof all));
	all[2] = 40000;
	FAILS(semctl(id, 0, SETALL, (union semun){ .array = all }), ERANGE);
	FAILS(semctl(id, 0, GETALL, (union semun){ .array = NULL }), EFAULT);
	FAILS(semctl(id, 0, 99), EINVAL);
	drop(id);
}

TEST(operations_are_all_done_or_none)
{
	int id = set(3, 0600);
	struct sembuf both[2] = { { 0, 1, 0 }, { 1, -1, IPC_NOWAIT } };
	FAILS(semop(id, both, 2), EAGAIN);
	EQ(value(id, 0), 0);
	EQ(op(id, 1, 2, 0), 0);
	EQ(semop(id, both, 2), 0);
	EQ(value(id, 0), 1);
	EQ(value(id, 1), 1);
	FAILS(op(id, 0, 0, IPC_NOWAIT), EAGAIN);
	EQ(op(id, 2, 0, 0), 0);
	FAILS(op(id, 3, 1, 0), EFBIG);
	FAILS(semop(id, both, 0), EINVAL);
	struct sembuf many[501] = { { 0, 0, 0 } };
	FAILS(semop(id, many, 501), E2BIG);
	FAILS(semop(id, NULL, 1), EFAULT);
	EQ(op(id, 2, 32767, 0), 0);
	FAILS(op(id, 2, 1, 0), ERANGE);
	EQ(value(id, 2), 32767);
	/* One after the other, each sees what the one before has done. */
	struct sembuf updown[2] = { { 0, 5, 0 }, { 0, -6, IPC_NOWAIT } };
	EQ(semop(id, updown, 2), 0);
	EQ(value(id, 0), 0);
	struct semid_ds ds;
	EQ(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	CHECK(ds.sem_otime > 1600000000);
	drop(id);
}

TEST(waiting)
{
	int id = set(2, 0600), status;
	pid_t child = fork();
	if (!child)
		_exit(op(id, 0, -2, 0) ? 1 : 0);
	while (semctl(id, 0, GETNCNT) != 1)
		sleep_ms(1);
	EQ(semctl(id, 0, GETZCNT), 0);
	EQ(op(id, 0, 1, 0), 0);
	sleep_ms(20);
	EQ(waitpid(child, &status, WNOHANG), 0);
	EQ(op(id, 0, 1, 0), 0);
	EQ(wait_status(child), 0);
	EQ(value(id, 0), 0);
	EQ(semctl(id, 0, GETNCNT), 0);
	EQ(semctl(id, 0, GETPID), child);
	EQ(op(id, 0, 1, 0), 0);
	child = fork();
	if (!child)
		_exit(op(id, 0, 0, 0) ? 1 : 0);
	while (semctl(id, 0, GETZCNT) != 1)
		sleep_ms(1);
	EQ(op(id, 0, -1, 0), 0);
	EQ(wait_status(child), 0);
	/* It ends when the set goes. */
	child = fork();
	if (!child)
		_exit(op(id, 0, -1, 0) == -1 && errno == EIDRM ? 0 : 1);
	while (semctl(id, 0, GETNCNT) != 1)
		sleep_ms(1);
	drop(id);
	EQ(wait_status(child), 0);
}

static void nothing(int signo, siginfo_t *info, void *context) { (void)signo, (void)info, (void)context; }

TEST(waiting_ends_by_time_and_signals)
{
	int id = set(1, 0600);
	struct sembuf b = { 0, -1, 0 };
	struct timespec t = { 0, 30000000 }, wrong = { 0, 1000000000 };
	long long before = now_ns(CLOCK_MONOTONIC);
	FAILS(semtimedop(id, &b, 1, &t), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - before >= 30000000);
	FAILS(semtimedop(id, &b, 1, &wrong), EINVAL);
	handle(SIGALRM, nothing, SA_RESTART);
	ualarm(20000, 0);
	FAILS(semop(id, &b, 1), EINTR);		/* never made again */
	EQ(semctl(id, 0, GETNCNT), 0);
	drop(id);
}

TEST(what_a_process_owes_is_given_back)
{
	int id = set(2, 0600), status;
	EQ(op(id, 0, 3, 0), 0);
	CHILD(status) {
		EQ(op(id, 0, -2, SEM_UNDO), 0);
		EQ(op(id, 1, 1, SEM_UNDO), 0);
		EQ(value(id, 0), 1);
	}
	EQ(status, 0);
	EQ(value(id, 0), 3);
	EQ(value(id, 1), 0);
	pid_t child = fork();
	if (!child) {
		op(id, 0, -1, SEM_UNDO);
		pause();
	}
	while (value(id, 0) != 2)
		sleep_ms(1);
	kill(child, SIGKILL);
	EQ(wait_status(child), SIGKILL);
	EQ(value(id, 0), 3);
	/* SETVAL forgets what was owed. */
	CHILD(status) {
		EQ(op(id, 0, -1, SEM_UNDO), 0);
		EQ(semctl(id, 0, SETVAL, (union semun){ .val = 9 }), 0);
	}
	EQ(value(id, 0), 9);
	/* It is not inherited. */
	CHILD(status) {
		int inner;
		EQ(op(id, 0, -1, SEM_UNDO), 0);
		CHILD(inner)
			EQ(value(id, 0), 8);
		EQ(inner, 0);
		EQ(value(id, 0), 8);
	}
	EQ(value(id, 0), 9);
	drop(id);
}

TEST(rights_of_others)
{
	int id = set(1, 0604), queue = msgget(IPC_PRIVATE, IPC_CREAT | 0604), status;
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		NEED(!setresgid(12345, 12345, 12345) && !setresuid(12345, 12345, 12345));
		EQ(value(id, 0), 0);
		FAILS(op(id, 0, 1, 0), EACCES);
		EQ(op(id, 0, 0, 0), 0);
		FAILS(semctl(id, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
		FAILS(semctl(id, 0, IPC_RMID), EPERM);
		struct { long type; char text[4]; } m = { 1, "abc" };
		FAILS(msgsnd(queue, &m, 4, IPC_NOWAIT), EACCES);
		FAILS(msgrcv(queue, &m, 4, 0, IPC_NOWAIT), ENOMSG);
		FAILS(msgctl(queue, IPC_RMID, NULL), EPERM);
	}
	EQ(status, 0);
	drop(id);
	EQ(msgctl(queue, IPC_RMID, NULL), 0);
}

TEST(many_processes_one_lock)
{
	enum { CHILDREN = 4, ROUNDS = 200 };
	int id = set(1, 0600);
	volatile long *counter = (volatile long *)map_anon(PAGE, MAP_SHARED);
	EQ(op(id, 0, 1, 0), 0);
	for (int c = 0; c < CHILDREN; c++)
		if (!fork()) {
			for (int i = 0; i < ROUNDS; i++) {
				op(id, 0, -1, SEM_UNDO);
				long v = *counter;
				if (i % 16 == 0)
					sched_yield();
				*counter = v + 1;
				op(id, 0, 1, SEM_UNDO);
			}
			_exit(0);
		}
	for (int c = 0; c < CHILDREN; c++)
		EQ(wait_status(-1), 0);
	EQ(*counter, CHILDREN * ROUNDS);
	EQ(value(id, 0), 1);
	drop(id);
}

/* ---- message queues ------------------------------------------------------------------------------------------ */

struct message { long type; char text[64]; };

static int queue(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	NEED(id >= 0);
	return id;
}

static int post(int id, long type, const char *words)
{
	struct message m = { .type = type };
	strcpy(m.text, words);
	return msgsnd(id, &m, strlen(words) + 1, IPC_NOWAIT);
}

static const char *fetch(int id, long type, int flags)
{
	static struct message m;
	memset(&m, 0, sizeof m);
	return msgrcv(id, &m, sizeof m.text, type, IPC_NOWAIT | flags) < 0 ? strerror(errno) : m.text;
}
#define SAME(a, b) do { const char *a_ = (a), *b_ = (b); if (strcmp(a_, b_)) FAIL("%s is '%s', not '%s'", #a, a_, b_); } while (0)

TEST(messages_by_type)
{
	int id = queue();
	EQ(post(id, 3, "three"), 0);
	EQ(post(id, 1, "one"), 0);
	EQ(post(id, 2, "two"), 0);
	EQ(post(id, 1, "uno"), 0);
	SAME(fetch(id, 1, 0), "one");
	SAME(fetch(id, -2, 0), "uno");
	SAME(fetch(id, -2, 0), "two");
	SAME(fetch(id, -2, 0), strerror(ENOMSG));
	EQ(post(id, 4, "four"), 0);
	SAME(fetch(id, 3, 020000 /* MSG_EXCEPT */), "four");
	SAME(fetch(id, 0, 0), "three");
	SAME(fetch(id, 0, 0), strerror(ENOMSG));
	EQ(msgctl(id, IPC_RMID, NULL), 0);
	FAILS(post(id, 1, "gone"), EINVAL);
}

TEST(messages_and_their_errors)
{
	struct message m = { 0, "abc" };
	int id = queue();
	FAILS(msgsnd(id, &m, 4, 0), EINVAL);
	m.type = 1;
	FAILS(msgsnd(id, &m, 8193, 0), EINVAL);
	FAILS(msgsnd(id, NULL, 4, 0), EFAULT);
	EQ(msgsnd(id, &m, 4, 0), 0);
	FAILS(msgrcv(id, &m, 2, 0, 0), E2BIG);
	m.text[2] = 'X';
	EQ(msgrcv(id, &m, 2, 0, MSG_NOERROR), 2);
	CHECK(!memcmp(m.text, "abX", 3));
	EQ(msgsnd(id, &m, 0, 0), 0);
	EQ(msgrcv(id, &m, 0, 0, 0), 0);
	FAILS(msgrcv(id, &m, (size_t)-1, 0, 0), EINVAL);
	struct msqid_ds ds;
	EQ(msgctl(id, IPC_STAT, &ds), 0);
	EQ(ds.msg_qnum, 0);
	EQ(ds.msg_lspid, getpid());
	EQ(ds.msg_lrpid, getpid());
	CHECK(ds.msg_stime > 1600000000 && ds.msg_rtime > 1600000000);
	ds.msg_qbytes = 100;
	EQ(msgctl(id, IPC_SET, &ds), 0);
	char big[128];
	*(long *)big = 1;
	EQ(msgsnd(id, big, 60, IPC_NOWAIT), 0);
	FAILS(msgsnd(id, big, 60, IPC_NOWAIT), EAGAIN);
	EQ(msgsnd(id, big, 40, IPC_NOWAIT), 0);
	EQ(msgctl(id, IPC_STAT, &ds), 0);
	EQ(ds.msg_qnum, 2);
	EQ(msgctl(id, 99, &ds), -1);
	EQ(msgctl(id, IPC_RMID, NULL), 0);
	FAILS(msgget(0x5e3b0000 + getpid() % 65536, 0600), ENOENT);
}

TEST(senders_and_receivers_wait)
{
	int id = queue();
	struct message m = { 1, "" };
	pid_t child = fork();
	if (!child)
		_exit(msgrcv(id, &m, sizeof m.text, 5, 0) == 6 && !strcmp(m.text, "fifth") ? 0 : 1);
	sleep_ms(20);
	EQ(post(id, 4, "fourth"), 0);
	sleep_ms(20);
	EQ(post(id, 5, "fifth"), 0);
	EQ(wait_status(child), 0);
	SAME(fetch(id, 0, 0), "fourth");
	struct msqid_ds ds;
	EQ(msgctl(id, IPC_STAT, &ds), 0);
	ds.msg_qbytes = 10;
	EQ(msgctl(id, IPC_SET, &ds), 0);
	EQ(post(id, 1, "12345678"), 0);
	child = fork();
	if (!child)
		_exit(msgsnd(id, &m, 8, 0) ? 1 : 0);
	sleep_ms(20);
	SAME(fetch(id, 0, 0), "12345678");
	EQ(wait_status(child), 0);
	child = fork();
	if (!child)
		_exit(msgrcv(id, &m, sizeof m.text, 77, 0) == -1 && errno == EIDRM ? 0 : 1);
	sleep_ms(20);
	EQ(msgctl(id, IPC_RMID, NULL), 0);
	EQ(wait_status(child), 0);
	id = queue();
	handle(SIGALRM, nothing, SA_RESTART);
	ualarm(20000, 0);
	FAILS(msgrcv(id, &m, sizeof m.text, 0, 0), EINTR);
	EQ(msgctl(id, IPC_RMID, NULL), 0);
}

TEST(proc_lists_them)
{
	char line[512], wanted[64];
	int sem = set(5, 0600), msg = queue(), found = 0;
	EQ(post(msg, 1, "1234567"), 0);
	FILE *f = fopen("/proc/sysvipc/sem", "r");
	NEED(f);
	snprintf(wanted, sizeof wanted, " %10d   600          5 ", sem);
	while (fgets(line, sizeof line, f))
		found += strstr(line, wanted) != NULL;
	fclose(f);
	EQ(found, 1);
	f = fopen("/proc/sysvipc/msg", "r");
	NEED(f);
	snprintf(wanted, sizeof wanted, " %10d   600           8          1 ", msg);
	while (fgets(line, sizeof line, f))
		found += strstr(line, wanted) != NULL;
	fclose(f);
	EQ(found, 2);
	drop(sem);
	EQ(msgctl(msg, IPC_RMID, NULL), 0);
}
