# tests/host/host.mk - host tests: vm/ on a simulated machine, under ASan and UBSan; results as TAP on standard output.
#
#   make host-test                 everything
#   make model SEED=n STEPS=n      the model test alone: so many steps on each machine
#   make model-smp SEED=n SMP_STEPS=n   several threads that change the same memory, one at a time, as a seed says: so many steps on each machine
#   make tsan SEED=n TSAN_STEPS=n  the same with threads that really run at once, under the thread sanitizer
#   make soak                      the model test without an end, on all processors; Ctrl-C ends it
#   make model-log STEPS=n SEED=n  so many steps in all, on all processors, into tests/logs/model.txt
#   make coverage                  lines and branches of vm/ that these tests run: tests/logs/coverage.txt
#   make mutants N=n SEED=n JOBS=n  are changes of vm/ noticed by these tests: tests/logs/mutants.txt
#   make fuzz TIME=seconds         libFuzzer (clang, libclang-rt-14-dev) for so long on each target; fuzz-NAME: on one
#   make fuzz-log TIME=seconds     the same, into tests/logs/fuzz.txt
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
HOST_WRAP     = frame_alloc frame_alloc_zone frame_alloc_anon_zeroed frame_alloc_table frame_free frame_free_all vm_check kspace_describe
HOST_LDFLAGS  = -no-pie $(HOST_SANITIZE) $(foreach f,$(HOST_WRAP),-Wl,--wrap=$(f)) -lcmocka -lpthread
HOST_LIB_SRC  = $(sort $(wildcard vm/*.c)) kernel/rwlock.c lib/rbtree.c tests/host/harness.c $(addprefix tests/host/sim/,machine.c sync.c access.c $(HOST_THREADS))
HOST_THREADS  = turns.c tlb.c
# What runs on many processors is compiled to let another go on at each basic block: see turns.c.
HOST_POINTS   = -fsanitize-coverage=trace-pc
# (Not requests.c: its mailboxes are locked with interrupts off, without a rank.)
HOST_POINTED  = vm fs arch/x86_64/mmu arch/x86_64/tlb tests/host/sim/mmu tests/host/fat_drive
HOST_MMU_SIM  = tests/host/sim/mmu.c
HOST_MMU_X86  = $(wildcard arch/x86_64/mmu*.c) $(addprefix arch/x86_64/,tlb.c requests.c) tests/host/sim/x86/x86.c
HOST_MODEL_SRC = $(sort $(wildcard tests/host/model/*.c))
HOST_SMP_SRC  = $(sort $(wildcard tests/host/smp/*.c))
SEED         ?= 1
STEPS        ?= 350000
SMP_STEPS    ?= 60000
TSAN_STEPS   ?= 5000

# host_machine NAME,FLAGS,MMU: how objects and programs of this machine are made
define host_machine
$(HOST_BUILD)/$(1)/%.o: %.c
	$$(say) HOST $$<
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_CC) $(2) $$(HOST_CFLAGS) $$(if $$(filter $$(HOST_POINTED:=%),$$<),$$(HOST_POINTS)) -MMD -MP -c $$< -o $$@
$(HOST_BUILD)/$(1)/%: $(HOST_BUILD)/$(1)/tests/host/%.o $(patsubst %.c,$(HOST_BUILD)/$(1)/%.o,$(HOST_LIB_SRC) $(3))
	$$(say) LINK $$@
	$$(Q)$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
$(HOST_BUILD)/$(1)/model: $(patsubst %.c,$(HOST_BUILD)/$(1)/%.o,$(HOST_MODEL_SRC) $(filter-out tests/host/harness.c,$(HOST_LIB_SRC)) $(3))
	$$(say) LINK $$@
	$$(Q)$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
$(HOST_BUILD)/$(1)/smp: $(patsubst %.c,$(HOST_BUILD)/$(1)/%.o,$(HOST_SMP_SRC) $(filter-out tests/host/harness.c,$(HOST_LIB_SRC)) $(3))
	$$(say) LINK $$@
	$$(Q)$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
-include $$(wildcard $(HOST_BUILD)/$(1)/*/*.d $(HOST_BUILD)/$(1)/*/*/*.d $(HOST_BUILD)/$(1)/*/*/*/*.d)
endef
# The FAT driver is compiled into fat_drive.c, on the host's heap.
HOST_FAT_SRC = tests/host/fat_drive.c fs/vnode.c
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_fat: $(HOST_FAT_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
HOST_VFS_SRC = $(addprefix fs/,vnode.c walk.c permission.c mount.c names.c attr.c open.c file.c locks.c anon.c inotify.c xattr.c tmpfs.c tmpfs_dir.c tmpfs_options.c pipe.c dev.c synth.c)
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_vfs: $(HOST_VFS_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_fat_write: $(HOST_VFS_SRC:%.c=$(HOST_BUILD)/$(m)/%.o) $(HOST_BUILD)/$(m)/tests/host/fat_drive.o))
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_files: $(HOST_VFS_SRC:%.c=$(HOST_BUILD)/$(m)/%.o) $(HOST_BUILD)/$(m)/tests/host/fat_drive.o))
HOST_MULTIBOOT_SRC = tests/host/multiboot_drive.c arch/x86_64/multiboot.c
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_multiboot: $(HOST_MULTIBOOT_SRC:%.c=$(HOST_BUILD)/$(m)/%.o)))
$(foreach m,$(HOST_MACHINES),$(eval $(HOST_BUILD)/$(m)/test_acpi: $(HOST_BUILD)/$(m)/arch/x86_64/acpi.o))
$(eval $(call host_machine,3x5,-DSIM_LEVELS=3 -DSIM_TABLE_BITS=5,$(HOST_MMU_SIM)))
$(eval $(call host_machine,4x4,-DSIM_LEVELS=4 -DSIM_TABLE_BITS=4,$(HOST_MMU_SIM)))
$(eval $(call host_machine,x86,-DSIM_LEVELS=4 -DSIM_TABLE_BITS=9 -Itests/host/sim/x86,$(HOST_MMU_X86)))

# What has nothing to do with page tables runs on the first machine only.
HOST_ONCE     = acpi fat fat_write files multiboot physmap region stats vfs
HOST_UNITS    = $(HOST_TESTS:%=$(HOST_BUILD)/3x5/test_%) $(patsubst %,$(HOST_BUILD)/4x4/test_%,$(filter-out $(HOST_ONCE),$(HOST_TESTS))) \
	$(patsubst %,$(HOST_BUILD)/x86/test_%,alloc_fail check fault madvise mmap object reclaim remap tables writeback)
HOST_MODELS   = $(HOST_MACHINES:%=$(HOST_BUILD)/%/model)
HOST_REPLAYS  = $(patsubst tests/host/corpus/%,$(HOST_BUILD)/3x5/%_replay,$(wildcard tests/host/corpus/*))
HOST_SMPS     = $(HOST_MACHINES:%=$(HOST_BUILD)/%/smp)
HOST_PROGRAMS = $(HOST_UNITS) $(HOST_MODELS) $(HOST_SMPS)
.SECONDARY:

.PHONY: host-build host-run host-test model model-smp
host-build: $(HOST_PROGRAMS) $(HOST_REPLAYS)

host-test:
	@failed=0; for t in host-run tsan; do $(MAKE) --no-print-directory -s $$t || failed=1; done; exit $$failed
host-run:
	$(Q)$(MAKE) --no-print-directory -s -j2 host-build
	@{ for t in $(HOST_UNITS); do echo "echo '# $$t'; $$t"; done; \
	for t in $(notdir $(HOST_REPLAYS:%_replay=%)); do echo "$(HOST_BUILD)/3x5/$${t}_replay tests/host/corpus/$$t"; done; \
	for m in $(HOST_MODELS); do echo "$$m $(SEED) $(STEPS)"; done; \
	for m in $(HOST_SMPS); do echo "$$m $(SEED) $(SMP_STEPS)"; done; } | tools/lanes

model: $(HOST_MODELS)
	$(Q)for m in $(HOST_MODELS); do $$m $(SEED) $(STEPS) || exit; done
model-smp: $(HOST_SMPS)
	$(Q)for m in $(HOST_SMPS); do $$m $(SEED) $(SMP_STEPS) || exit; done
.PHONY: soak model-log
soak: $(HOST_MODELS)
	$(Q)tests/host/model/soak $(HOST_MODELS)
model-log: $(HOST_MODELS)
	$(Q)tests/host/model/soak --steps $(STEPS) --seed $(SEED) --log tests/logs/model.txt $(HOST_MODELS)

# The same programs, compiled to count what runs.
COVERAGE      = $(HOST_BUILD)/coverage
COVERAGE_MAKE = $(MAKE) --no-print-directory -s HOST_BUILD=$(COVERAGE) HOST_OPTIMIZE=-O0 HOST_SANITIZE='--coverage -fsanitize=address'
.PHONY: coverage
coverage:
	$(Q)$(COVERAGE_MAKE) -j2 host-build
	$(Q)find $(COVERAGE) -name '*.gcda' -delete
	$(Q)$(COVERAGE_MAKE) host-run > $(COVERAGE)/test.log || { grep '^not ok' $(COVERAGE)/test.log; exit 1; }
	$(Q)tests/host/coverage.py $(COVERAGE) tests/host/coverage.excused > tests/logs/coverage.txt; status=$$?; cat tests/logs/coverage.txt; exit $$status

# The programs of `smp` with threads that really run at once, under the thread sanitizer.
TSAN          = $(HOST_BUILD)/tsan
TSAN_PROGRAMS = $(HOST_MACHINES:%=%/smp)
TSAN_MAKE     = $(MAKE) --no-print-directory -s HOST_BUILD=$(TSAN) HOST_SANITIZE='-fsanitize=thread -Wno-tsan -DSIM_PARALLEL' HOST_THREADS=parallel.c HOST_POINTS=
.PHONY: tsan
tsan:
	$(Q)$(TSAN_MAKE) -j2 $(TSAN_PROGRAMS:%=$(TSAN)/%)
	$(Q)for p in $(TSAN_PROGRAMS); do TSAN_OPTIONS=halt_on_error=1 $(TSAN)/$$p $(SEED) $(TSAN_STEPS) || exit; done

# What vm/ is compiled by, for the tool to see which mutants are any; it builds them with this makefile in a copy of the tree.
.PHONY: mutants host-programs
mutants: host-build
	$(Q)PYTHONDONTWRITEBYTECODE=1 tests/host/mutants.py --number $(or $(N),200) --seed $(SEED) --jobs $(or $(JOBS),$(shell nproc)) \
		--only '$(ONLY)' --retry '$(RETRY)' --compile '$(HOST_CC) $(HOST_CFLAGS) -DSIM_LEVELS=3 -DSIM_TABLE_BITS=5'
host-programs:
	@echo $(HOST_PROGRAMS)

# ---- fuzzing -----------------------------------------------------------------------------------------------------------------
#
# A target is tests/host/NAME_fuzz.c.  FUZZ_SRC_NAME: what it needs beside vm/ and the simulated machine; FUZZ_OPTIONS_NAME: what libFuzzer is told;
# FUZZ_SEEDS_NAME: a folder of inputs that are made and not in the tree.  It begins with the files of tests/host/corpus/NAME, which host-test replays.
FUZZ          = $(HOST_BUILD)/fuzz
FUZZ_TARGETS  = $(patsubst tests/host/%_fuzz.c,%,$(sort $(wildcard tests/host/*_fuzz.c)))
FUZZ_LIB_SRC  = $(filter-out tests/host/harness.c,$(HOST_LIB_SRC)) $(HOST_MMU_SIM)
FUZZ_CFLAGS   = -std=gnu11 -O1 -g -D_GNU_SOURCE -DLOCK_CHECK -I. -Itests/host -Itests/host/sim
FUZZ_LDFLAGS  = $(foreach f,$(HOST_WRAP),-Wl,--wrap=$(f)) -lpthread
TIME         ?= 60

FUZZ_SRC_elf       = kernel/elf.c
FUZZ_SRC_fat       = $(HOST_FAT_SRC)
FUZZ_OPTIONS_fat   = -max_len=800000
FUZZ_SEEDS_fat     = $(FUZZ)/fat/seeds
FUZZ_SRC_model     = $(filter-out $(addprefix tests/host/model/,main.c child.c shrink.c regressions.c),$(HOST_MODEL_SRC))
FUZZ_SRC_multiboot = $(HOST_MULTIBOOT_SRC)
FUZZ_SRC_walk      = $(HOST_VFS_SRC)

$(FUZZ)/obj/%.o: %.c
	$(say) FUZZ $<
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -MMD -MP -c $< -o $@
# fuzz_target NAME: with libFuzzer, by clang; and without, for the replay, by the compiler of the other tests.
define fuzz_target
FUZZ_OBJ_$(1) := $$(patsubst %.c,$$(FUZZ)/obj/%.o,$$(FUZZ_LIB_SRC) $$(FUZZ_SRC_$(1)) tests/host/$(1)_fuzz.c)
$$(FUZZ)/$(1)/fuzz: $$(FUZZ_OBJ_$(1))
	@mkdir -p $$(@D)
	$$(Q)clang -fsanitize=fuzzer,address,undefined $$^ -o $$@ $$(FUZZ_LDFLAGS)
$$(HOST_BUILD)/3x5/$(1)_replay: $$(patsubst %.c,$$(HOST_BUILD)/3x5/%.o,$$(FUZZ_LIB_SRC) $$(FUZZ_SRC_$(1)) tests/host/$(1)_fuzz.c tests/host/fuzz_replay.c)
	$$(say) LINK $$@
	$$(Q)$$(HOST_CC) $$^ -o $$@ $$(HOST_LDFLAGS)
fuzz-$(1): $$(FUZZ)/$(1)/fuzz $$(FUZZ_SEEDS_$(1))
	$$(Q)tests/host/fuzz $$(TIME) $$(<D) $$(wildcard tests/host/corpus/$(1)) $$(FUZZ_SEEDS_$(1)) $$(FUZZ_OPTIONS_$(1))
-include $$(FUZZ_OBJ_$(1):.o=.d) $$(HOST_BUILD)/3x5/tests/host/$(1)_fuzz.d
.PHONY: fuzz-$(1)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(t))))

$(FUZZ)/fat/seeds: tests/host/fat_images $(wildcard initrd/*)
	rm -rf $(FUZZ)/images $@ && tests/host/fat_images $(FUZZ)/images && mkdir -p $@
	for seed in aligned packed 12 32; do (printf 0; cat $(FUZZ)/images/seeds/$$seed) > $@/$$seed; done
	rm -r $(FUZZ)/images

.PHONY: fuzz fuzz-log
fuzz:
	$(Q)$(MAKE) --no-print-directory -s -j2 $(FUZZ_TARGETS:%=$(FUZZ)/%/fuzz) $(foreach t,$(FUZZ_TARGETS),$(FUZZ_SEEDS_$(t)))
	$(Q)failed=0; for t in $(FUZZ_TARGETS); do $(MAKE) --no-print-directory -s fuzz-$$t || failed=1; done; exit $$failed
fuzz-log:
	$(Q)(echo "make fuzz TIME=$(TIME), commit $$(git describe --always --dirty), $$(clang --version | head -n 1), on $$(nproc) cores"; \
		$(MAKE) --no-print-directory -s fuzz) > tests/logs/fuzz.txt; status=$$?; cat tests/logs/fuzz.txt; exit $$status
