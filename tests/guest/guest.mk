# tests/guest/guest.mk - programs that test the kernel from inside, and what boots it for them.
#
#	make guest-build	builds the programs; each also runs on Linux, for comparison: build/guest/musl/fork
#	make guest-test		boots the debug kernel several times and runs them there; TAP on stdout
#	make guest-test BOOTS='aligned packed'	only these boots (tests/guest/run names them)
#
# Each is built twice: with musl, and with glibc, which takes other ways into the kernel.

GUEST_TESTS := $(patsubst tests/guest/%.c,%,$(sort $(wildcard tests/guest/*.c)))
GUEST_CFLAGS := -std=gnu11 -O2 -static -s -Wall -Wextra -Wno-clobbered -Wno-array-bounds -Wno-infinite-recursion -I.

build/guest/musl/%: tests/guest/%.c tests/guest/tap.h abi/faultline.h
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)musl-gcc $(GUEST_CFLAGS) -o $@ $<
build/guest/glibc/%: tests/guest/%.c tests/guest/tap.h abi/faultline.h
	$(say) TEST $<
	@mkdir -p $(@D)
	$(Q)gcc $(GUEST_CFLAGS) -o $@ $<
build/guest/big: build/guest/musl/file_map
	$(Q)$< --make $@

.PHONY: guest-build guest-test
guest-build: $(GUEST_TESTS:%=build/guest/musl/%) $(GUEST_TESTS:%=build/guest/glibc/%) build/guest/big

guest-test: guest-build
	$(Q)$(MAKE) --no-print-directory -s all DEBUG=1
	$(Q)tests/guest/run $(BOOTS)
