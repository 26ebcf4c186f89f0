# tests/guest/guest.mk - programs that test the kernel from inside, and what boots it for them.
#
#	make guest-build	builds the programs; each also runs on Linux, for comparison: build/guest/musl/fork
#	make guest-test		boots the debug kernel several times and runs them there; TAP on stdout
#	make guest-test BOOTS='aligned packed'	only these boots (tests/guest/run names them)
#	make guest-soak INSTRUCTIONS=200000000000	forks, mappings and memory that runs out, for so many instructions; into tests/logs/guest-soak.txt
#	make smp-soak INSTRUCTIONS=200000000000 SMP=4	racestress on several processors, for so many instructions; into tests/logs/racestress.txt
#	make fuzz-soak CALLS=10000000 SMP=4	random system calls, so many; into its part of tests/logs/callfuzz.txt
#	make boots N=500 SMP=4	so many boots in a row; into tests/logs/boots.txt
#	make test-stress	Debian's stress-ng and memtester on 1 and 4 processors, a quarter of an hour; SECONDS=10 PROCESSORS=1,4 STRESSORS='vm brk' LOG=...
#	make test-stress-all	all of stress-ng's stressors, two seconds each, a quarter of an hour: which pass, which want what is not there
#	make guest-expected	writes down what this Linux answers to the programs in compare/
#
# Each is built twice: with musl, and with glibc, which takes other ways into the kernel.

GUEST_TESTS := $(patsubst tests/guest/%.c,%,$(sort $(wildcard tests/guest/*.c)))
GUEST_CFLAGS := -std=gnu11 -O2 -static -s -Wall -Wextra -Wno-clobbered -Wno-array-bounds -Wno-infinite-recursion -Wtrampolines -I.

build/guest/musl/%: tests/guest/%.c tests/guest/tap.h tests/guest/rows.h abi/faultline.h
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)musl-gcc $(GUEST_CFLAGS) -o $@ $<
build/guest/glibc/%: tests/guest/%.c tests/guest/tap.h tests/guest/rows.h abi/faultline.h
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)gcc $(GUEST_CFLAGS) -o $@ $<
# Position-independent, for its own place is looked at.
build/guest/glibc/layout: GUEST_CFLAGS := $(GUEST_CFLAGS:-static=-fPIE -static-pie)
build/guest/big: build/guest/musl/file_map
	$(Q)$< --make $@

# Programs that print what calls answer; Linux's answers are kept beside them.  They call wrongly on purpose: no warnings.
GUEST_COMPARE := $(patsubst tests/guest/compare/%.c,%,$(sort $(wildcard tests/guest/compare/*.c)))
build/guest/compare/%: tests/guest/compare/%.c
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -static -s -w -o $@ $<

# Asks this Linux anew; as root.
.PHONY: guest-expected
guest-expected: $(GUEST_COMPARE:%=build/guest/compare/%)
	$(Q)for p in $(GUEST_COMPARE); do \
		folder=$$(mktemp -d /dev/shm/compare.XXXXXX) && chmod 755 $$folder; \
		(cd $$folder && $(CURDIR)/build/guest/compare/$$p < /dev/null 2>&1) | cat > tests/guest/compare/$$p.expected; \
		rm -rf $$folder; \
	done

# A folder with this program only, so that the image has little else.
build/guest/alone/reclaim: build/guest/musl/reclaim
	$(Q)install -D $< $@

build/guest/large:
	$(Q)seq -f %015.0f 0 3145727 > $@

.PHONY: guest-build guest-test
guest-build: $(GUEST_COMPARE:%=build/guest/compare/%)
guest-build: $(GUEST_TESTS:%=build/guest/musl/%) $(GUEST_TESTS:%=build/guest/glibc/%) build/guest/big build/guest/large build/guest/alone/reclaim build/guest/insn_count.so

guest-test: guest-build
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=1
	$(Q)tests/guest/run $(BOOTS)

INSTRUCTIONS ?= 200000000000
SMP ?= 4
.PHONY: guest-soak smp-soak
guest-soak:
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=
	$(Q)tests/guest/soak $(INSTRUCTIONS) tests/logs/guest-soak.txt

# Counts instructions where -icount cannot: a plugin of the emulator.
build/guest/insn_count.so: tests/guest/plugin/insn_count.c
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -shared -fPIC -fvisibility=hidden -Wall -Wextra -o $@ $<

smp-soak: build/guest/insn_count.so
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=$(DEBUG)
	$(Q)DEBUG=$(DEBUG) tests/guest/smp-soak $(INSTRUCTIONS) $(SMP) tests/logs/racestress.txt

CALLS ?= 10000000
SEED ?= 1
.PHONY: fuzz-soak
fuzz-soak:
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=$(DEBUG)
	$(Q)DEBUG=$(DEBUG) tests/guest/fuzz-soak $(CALLS) $(SMP) tests/logs/callfuzz.txt $(SEED)

N ?= 500
.PHONY: boots
boots:
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=$(DEBUG)
	$(Q)DEBUG=$(DEBUG) tests/run/boots $(N) $(SMP) tests/logs/boots.txt

SECONDS ?= 10
PROCESSORS ?= 1,4
.PHONY: test-stress
test-stress:
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=$(DEBUG)
	$(Q)DEBUG=$(DEBUG) tests/guest/stress --seconds $(SECONDS) --processors $(PROCESSORS) $(if $(STRESSORS),$(STRESSORS),--log $(or $(LOG),tests/logs/stress-ng.txt))

.PHONY: test-stress-all
test-stress-all:
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)tests/guest/stress-all $(if $(STRESSORS),$(STRESSORS),--log $(or $(LOG),tests/logs/stress-ng-all.txt))
