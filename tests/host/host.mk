# tests/host/host.mk - host tests: vm/ on a simulated machine, under ASan and UBSan; results as TAP on standard output.
#
#   make host-test                 everything
#   make model SEED=n STEPS=n      the model test alone
#   make coverage                  lines and branches of vm/ that these tests run: tests/logs/coverage.txt
#   make mutants N=n SEED=n JOBS=n  are changes of vm/ noticed by these tests: tests/logs/mutants.txt
#   make fuzz-multiboot TIME=seconds   libFuzzer on the reader of the boot loader's information
#   make fuzz-fat TIME=seconds     libFuzzer on the FAT driver (clang, libclang-rt-14-dev); what it finds is left in build/host/fuzz-fat
#
# Each test runs on machines whose page tables have another shape: vm/ must not know it.  The third is x86-64's own code for page tables
# and TLB (arch/x86_64/mmu.c, tlb.c) on the simulated TLB: for what concerns user memory.

HOST_CC      ?= gcc
HOST_MACHINES = 3x5 4x4 x86
HOST_BUILD   ?= build/host
HOST_TESTS    = $(patsubst tests/host/test_%.c,%,$(sort $(wildcard tests/host/test_*.c)))
HOST_SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_OPTIMIZE ?= -O1
# Not position-independent: where addresses are much randomised, such a program can lie where the sanitizer wants its own memory.
HOST_CFLAGS   = -std=gnu11 $(HOST_OPTIMIZE) -g -D_GNU_SOURCE -DLOCK_CHECK -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-fno-omit-frame-pointer -fno-pie $(HOST_SANITIZE) -I. -Itests/host -Itests/host/sim
# The simulated machine keeps book of frames: it stands between the frame allocator and those who call it.
HOST_WRAP     = frame_alloc frame_alloc_zone frame_alloc_anon_zeroed frame_alloc_table frame_free
HOST_LDFLAGS  = -no-pie $(HOST_SANITIZE) $(foreach f,$(HOST_WRAP),-Wl,--wrap=$(f)) -lcmocka -lpthread
HOST_LIB_SRC  = $(sort $(wildcard vm/*.c)) lib/rbtree.c tests/host/harness.c $(addprefix tests/host/sim/,machine.c sync.c tlb.c)
HOST_MMU_SIM  = tests/host/sim/mmu.c
HOST_MMU_X86  = arch/x86_64/mmu.c arch/x86_64/tlb.c tests/host/sim/x86/x86.c
SEED         ?= 1
STEPS        ?= 50000

# host_machine NAME,FLAGS,MMU: how objects and programs of this machine are made
define host_machine
$(HOST_BUILD)/$(1)/%.o: %.c
	$$(say) HOST $$<
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_CC) $(2) $$(HOST_CFLAGS) -MMD -MP -c $$< -o $$@
$(HOST_BUILD)/$(1)/%: $(HOST_BUILD)/$(1)/tests/host/%.o $(patsubst %.c,$(HOST_BUILD)/$(1)/%.o,$(HOST_LIB_SRC) $(3))
	$$(say) LINK $$@
	$$(Q)$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
-include $$(patsubst %.c,$(HOST_BUILD)/$(1)/%.d,$$(HOST_LIB_SRC) $(3)) $$(HOST_TESTS:%=$(HOST_BUILD)/$(1)/tests/host/test_%.d) \
	$(HOST_BUILD)/$(1)/tests/host/model.d
endef
# The FAT driver is compiled into fat_drive.c, on the host's heap.
HOST_FAT_SRC = tests/host/fat_drive.c fs/vnode.c
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_fat: $(HOST_FAT_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
HOST_VFS_SRC = $(addprefix fs/,vnode.c walk.c mount.c names.c attr.c open.c file.c locks.c tmpfs.c tmpfs_dir.c pipe.c dev.c synth.c)
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_vfs: $(HOST_VFS_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
HOST_MULTIBOOT_SRC = tests/host/multiboot_drive.c arch/x86_64/multiboot.c
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_multiboot: $(HOST_MULTIBOOT_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
$(eval $(call host_machine,3x5,-DSIM_LEVELS=3 -DSIM_TABLE_BITS=5,$(HOST_MMU_SIM)))
$(eval $(call host_machine,4x4,-DSIM_LEVELS=4 -DSIM_TABLE_BITS=4,$(HOST_MMU_SIM)))
$(eval $(call host_machine,x86,-DSIM_LEVELS=4 -DSIM_TABLE_BITS=9 -Itests/host/sim/x86,$(HOST_MMU_X86)))

# What has nothing to do with page tables runs on the first machine only.
HOST_ONCE     = fat multiboot physmap region vfs
HOST_UNITS    = $(HOST_TESTS:%=$(HOST_BUILD)/3x5/test_%) $(patsubst %,$(HOST_BUILD)/4x4/test_%,$(filter-out $(HOST_ONCE),$(HOST_TESTS))) \
	$(patsubst %,$(HOST_BUILD)/x86/test_%,alloc_fail check fault mmap object)
HOST_MODELS   = $(HOST_MACHINES:%=$(HOST_BUILD)/%/model)
HOST_PROGRAMS = $(HOST_UNITS) $(HOST_MODELS)
.SECONDARY:

.PHONY: host-build host-test model
host-build: $(HOST_PROGRAMS)

host-test:
	$(Q)$(MAKE) --no-print-directory -s -j2 host-build
	@failed=0; \
	for t in $(HOST_UNITS); do echo "# $$t"; $$t || failed=1; done; \
	for m in $(HOST_MODELS); do for s in 1 2 4; do $$m $$s $(STEPS) || failed=1; done; done; \
	exit $$failed

model: $(HOST_MODELS)
	$(Q)for m in $(HOST_MODELS); do $$m $(SEED) $(STEPS) || exit; done

# The same programs, compiled to count what runs.
COVERAGE      = $(HOST_BUILD)/coverage
COVERAGE_MAKE = $(MAKE) --no-print-directory -s HOST_BUILD=$(COVERAGE) HOST_OPTIMIZE=-O0 HOST_SANITIZE='--coverage -fsanitize=address'
.PHONY: coverage
coverage:
	$(Q)$(COVERAGE_MAKE) -j2 host-build
	$(Q)find $(COVERAGE) -name '*.gcda' -delete
	$(Q)$(COVERAGE_MAKE) host-test > $(COVERAGE)/test.log || { grep '^not ok' $(COVERAGE)/test.log; exit 1; }
	$(Q)tests/host/coverage.py $(COVERAGE) tests/host/coverage.excused > tests/logs/coverage.txt; status=$$?; cat tests/logs/coverage.txt; exit $$status

# What vm/ is compiled by, for the tool to see which mutants are any; it builds them with this makefile in a copy of the tree.
.PHONY: mutants host-programs
mutants: host-build
	$(Q)PYTHONDONTWRITEBYTECODE=1 tests/host/mutants.py --number $(or $(N),200) --seed $(SEED) --jobs $(or $(JOBS),$(shell nproc)) \
		--only '$(ONLY)' --retry '$(RETRY)' --compile '$(HOST_CC) $(HOST_CFLAGS) -DSIM_LEVELS=3 -DSIM_TABLE_BITS=5'
host-programs:
	@echo $(HOST_PROGRAMS)

# libFuzzer, from the small images of fat_images; one program, compiled in one go by clang.
FUZZ      = $(HOST_BUILD)/fuzz-fat
FUZZ_SRC  = $(filter-out tests/host/harness.c,$(HOST_LIB_SRC)) $(HOST_MMU_SIM) $(HOST_FAT_SRC) tests/host/fat_fuzz.c
TIME     ?= 60
.PHONY: fuzz-fat
$(FUZZ)/fat_fuzz: $(FUZZ_SRC) $(wildcard fs/fat*.[ch]) tests/host/fat_drive.h
	@mkdir -p $(@D)
	clang -std=gnu11 -O1 -g -D_GNU_SOURCE -DLOCK_CHECK -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -Itests/host -Itests/host/sim \
		$(FUZZ_SRC) -o $@ $(foreach f,$(HOST_WRAP),-Wl,--wrap=$(f)) -lpthread
$(FUZZ)/corpus: tests/host/fat_images $(wildcard initrd/*)
	rm -rf $(FUZZ)/images $@ && tests/host/fat_images $(FUZZ)/images && mkdir $@
	for seed in aligned packed 12 32; do (printf 0; cat $(FUZZ)/images/seeds/$$seed) > $@/$$seed; done
	rm -r $(FUZZ)/images
fuzz-fat: $(FUZZ)/fat_fuzz $(FUZZ)/corpus
	$< -max_total_time=$(TIME) -max_len=800000 -timeout=10 -rss_limit_mb=4096 -artifact_prefix=$(FUZZ)/ $(FUZZ)/corpus

# The same for the Multiboot2 parser, from nothing.
FUZZ_MULTIBOOT = $(HOST_BUILD)/fuzz-multiboot
.PHONY: fuzz-multiboot
$(FUZZ_MULTIBOOT)/multiboot_fuzz: vm/physmap.c $(HOST_MULTIBOOT_SRC) tests/host/multiboot_fuzz.c tests/host/multiboot_drive.h
	@mkdir -p $(FUZZ_MULTIBOOT)/corpus
	clang -std=gnu11 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I. -Itests/host -Itests/host/sim \
		$(HOST_MULTIBOOT_SRC) vm/physmap.c tests/host/multiboot_fuzz.c -o $@
fuzz-multiboot: $(FUZZ_MULTIBOOT)/multiboot_fuzz
	$< -max_total_time=$(TIME) -max_len=2000 -timeout=10 -artifact_prefix=$(FUZZ_MULTIBOOT)/ $(FUZZ_MULTIBOOT)/corpus
