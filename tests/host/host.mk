# tests/host/host.mk - host tests: vm/ on a simulated machine, under ASan and UBSan; results as TAP on standard output.
#
#   make host-test                 everything
#   make model SEED=n STEPS=n      the model test alone
#
# Each test runs on two machines whose page tables have another shape: vm/ must not know it.

HOST_CC      ?= gcc
HOST_MACHINES = 3x5 4x4
HOST_BUILD   ?= build/host
HOST_TESTS    = $(patsubst tests/host/test_%.c,%,$(sort $(wildcard tests/host/test_*.c)))
HOST_SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS   = -std=gnu11 -O1 -g -D_GNU_SOURCE -DLOCK_CHECK -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-fno-omit-frame-pointer $(HOST_SANITIZE) -I. -Itests/host -Itests/host/sim
# The simulated machine keeps book of frames: it stands between the frame allocator and those who call it.
HOST_WRAP     = frame_alloc frame_alloc_zone frame_alloc_anon_zeroed frame_alloc_table frame_free
HOST_LDFLAGS  = $(HOST_SANITIZE) $(foreach f,$(HOST_WRAP),-Wl,--wrap=$(f)) -lcmocka -lpthread
HOST_LIB_SRC  = $(sort $(wildcard vm/*.c) $(wildcard tests/host/sim/*.c)) lib/rbtree.c tests/host/harness.c
SEED         ?= 1
STEPS        ?= 30000

# host_machine NAME LEVELS BITS: how objects and programs of this machine are made
define host_machine
$(HOST_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(HOST_CC) $$(HOST_CFLAGS) -DSIM_LEVELS=$(2) -DSIM_TABLE_BITS=$(3) -MMD -MP -c $$< -o $$@
$(HOST_BUILD)/$(1)/%: $(HOST_BUILD)/$(1)/tests/host/%.o $(HOST_LIB_SRC:%.c=$(HOST_BUILD)/$(1)/%.o)
	$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
-include $$(HOST_LIB_SRC:%.c=$(HOST_BUILD)/$(1)/%.d) $$(HOST_TESTS:%=$(HOST_BUILD)/$(1)/tests/host/test_%.d) \
	$(HOST_BUILD)/$(1)/tests/host/model.d
endef
# The FAT driver is compiled into fat_drive.c, on the host's heap.
HOST_FAT_SRC = tests/host/fat_drive.c fs/vnode.c
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_fat: $(HOST_FAT_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
$(eval $(call host_machine,3x5,3,5))
$(eval $(call host_machine,4x4,4,4))

HOST_PROGRAMS = $(foreach m,$(HOST_MACHINES),$(HOST_TESTS:%=$(HOST_BUILD)/$(m)/test_%) $(HOST_BUILD)/$(m)/model)
.SECONDARY:

.PHONY: host-build host-test model
host-build: $(HOST_PROGRAMS)

host-test: host-build
	@failed=0; for m in $(HOST_MACHINES); do \
		for t in $(HOST_TESTS); do echo "# host $$m: $$t"; $(HOST_BUILD)/$$m/test_$$t || failed=1; done; \
		for s in 1 2 3; do $(HOST_BUILD)/$$m/model $$s $(STEPS) || failed=1; done; \
	done; exit $$failed

model: $(HOST_BUILD)/3x5/model $(HOST_BUILD)/4x4/model
	$(HOST_BUILD)/3x5/model $(SEED) $(STEPS)
	$(HOST_BUILD)/4x4/model $(SEED) $(STEPS)
