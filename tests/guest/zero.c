/* tests/guest/zero.c - private anonymous memory before and after its first touch: classes and exact counts. */
#include "tap.h"

enum { N = 64 };

FAULTLINE_TEST(first_write_is_demand_zero)
{
	struct faultstat before;
	volatile char *p = map_anon(N * PAGE, MAP_PRIVATE);

	faults_now(&before);
	for (int i = 0; i < N; i++)
		p[i * PAGE] = 1;
	EQ(faults_since(&before, FAULT_DEMAND_ZERO), N);
	for (int i = 0; i < N; i++)
		p[i * PAGE + 8] = 1;
	EQ(faults_since(&before, FAULT_DEMAND_ZERO), N);
	EQ(faults_since(&before, FAULT_ZERO_READ), 0);
}

FAULTLINE_TEST(first_read_maps_the_zero_frame)
{
	struct faultstat before;
	struct vmcheck a, b;
	volatile char *p = map_anon(N * PAGE, MAP_PRIVATE);

	p[0] = 1;
	tap_vmcheck(&a);
	faults_now(&before);
	for (int i = 1; i < N; i++)
		CHECK(p[i * PAGE] == 0);
	EQ(faults_since(&before, FAULT_ZERO_READ), N - 1);
	tap_vmcheck(&b);
	EQ(b.anon_frames, a.anon_frames);
	for (int i = 1; i < N; i++)
		p[i * PAGE] = 1;
	EQ(faults_since(&before, FAULT_ZERO_UPGRADE), N - 1);
	EQ(faults_since(&before, FAULT_DEMAND_ZERO), 0);
	tap_vmcheck(&b);
	EQ(b.anon_frames, a.anon_frames + N - 1);
}

FAULTLINE_TEST(nothing_is_given_before_it_is_touched)
{
	struct vmcheck a, b;

	tap_vmcheck(&a);
	char *p = map_anon(1ul << 30, MAP_PRIVATE | MAP_NORESERVE);
	tap_vmcheck(&b);
	EQ(b.anon_frames, a.anon_frames);
	EQ(b.table_frames, a.table_frames);
	EQ(munmap(p, 1ul << 30), 0);
}

FAULTLINE_TEST(shared_memory_is_zeroed_once)
{
	struct faultstat before;
	int status;
	volatile char *p = map_anon(N * PAGE, MAP_SHARED);

	faults_now(&before);
	for (int i = 0; i < N; i++)
		p[i * PAGE] = (char)(i + 1);
	EQ(faults_since(&before, FAULT_SHM_ZERO), N);
	CHILD(status) {
		faults_now(&before);		/* `before` may lie on two pages of the stack: the second is copied when the first answer is written */
		faults_now(&before);
		for (int i = 0; i < N; i++) {
			CHECK(p[i * PAGE] == (char)(i + 1));
			p[i * PAGE] = (char)(i + 2);
		}
		EQ(faults_since(&before, FAULT_SHM_ZERO), 0);
		EQ(faults_since(&before, FAULT_COW_COPY), 0);
	}
	EQ(status, 0);
	for (int i = 0; i < N; i++)
		CHECK(p[i * PAGE] == (char)(i + 2));
}

FAULTLINE_TEST(system_call_faults_are_the_processes)
{
	struct faultstat before, after;
	char *p = map_anon(4 * PAGE, MAP_PRIVATE);
	int fd = open("/dev/zero", O_RDONLY);

	NEED(fd >= 0);
	faults_now(&before);
	EQ(read(fd, p, 4 * PAGE), 4 * PAGE);
	faults_now(&after);
	EQ(after.count[FAULT_DEMAND_ZERO] - before.count[FAULT_DEMAND_ZERO], 4);
	EQ(after.flags[FAULT_FLAG_KERNEL] - before.flags[FAULT_FLAG_KERNEL], 4);
}

TEST(memory_is_zero)
{
	uint64_t *p = map_anon(N * PAGE, MAP_PRIVATE);

	for (int i = 0; i < N * PAGE / 8; i++)
		NEED(p[i] == 0);
	memset(p, 0xff, N * PAGE);
	EQ(munmap(p, N * PAGE), 0);
	p = map_anon(N * PAGE, MAP_PRIVATE);
	for (int i = 0; i < N * PAGE / 8; i++) {
		NEED(p[i] == 0);
		p[i] = 1;
	}
}

FAULTLINE_TEST(faultstat_arguments)
{
	struct faultstat s;

	FAILS(syscall(SYS_faultstat, 99, 0, &s, sizeof s), EINVAL);
	FAILS(syscall(SYS_faultstat, FAULTSTAT_PROCESS, 99999, &s, sizeof s), ESRCH);
	FAILS(syscall(SYS_faultstat, FAULTSTAT_SELF, 0, (void *)8, sizeof s), EFAULT);
	memset(&s, 0x55, sizeof s);
	CHECK(syscall(SYS_faultstat, FAULTSTAT_SELF, 0, &s, 16) >= 0);
	EQ(s.size, 16);
	EQ(s.version, FAULTSTAT_VERSION);
	EQ(s.count[1], 0x5555555555555555);
	CHECK(syscall(SYS_faultstat, FAULTSTAT_PROCESS, getpid(), &s, sizeof s) >= 0);
	EQ(s.size, sizeof s);
	FAILS(syscall(SYS_vmcheck, (void *)8, sizeof(struct vmcheck)), EFAULT);
}
