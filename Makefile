# Makefile - builds, tests and measures Faultline.
#
#   make             kernel, user programs, image and ISO in build/; DEBUG=1: with assertions and lock checks, in build/debug/
#   make test        every test; last line: N passed, 0 failed
#   make host-test, guest-test, run-test      a part of it
#   make test-programs    Debian's programs in the guest (bash, python3, gcc ...), against what they print on Linux
#   make test-self        Faultline compiles Faultline, and boots what it has made
#   make bench       the costs of memory and process operations, in instructions
#   make bench-linux, bench-compare           the same on Debian's kernel; both side by side
#   make bench-smp   how page faults scale with processors
#   make gdb         attaches to a waiting ./run.sh --gdb
#   make size        lines of code of each folder
#   make clean
#
# V=1 shows the commands.  Each kernel object is built twice, for the two variants, from the same sources.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

# Packages that are missing are installed before anything is built.
ifneq ($(filter-out clean size help,$(or $(MAKECMDGOALS),all)),)
ifneq ($(FAULTLINE_SETUP),done)
ifneq ($(shell tools/setup.sh > /dev/null || echo missing),)
$(error packages are missing)
endif
export FAULTLINE_SETUP := done
endif
endif

Q := $(if $(V),,@)
# With make -s, whose output is for a program to read, nothing is said.
say := $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '%-5s %s\n')

# ---- the kernel ------------------------------------------------------------------------------------------------------------

CC := gcc
KERNEL_C := $(sort $(wildcard arch/x86_64/*.c vm/*.c fs/*.c kernel/*.c lib/*.c))
KERNEL_ASM := $(sort $(wildcard arch/x86_64/*.asm))
KERNEL_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -I. -Iarch/x86_64/include
KERNEL_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -T arch/x86_64/kernel.ld

# kernel FOLDER,FLAGS: how this variant is made.  It is linked twice: the names of the first pass's functions become a table in
# the second, for back-traces; the table lies behind the code, so that no function moves.
define kernel
OBJECTS_$(1) := $$(KERNEL_C:%.c=$(1)/obj/%.o) $$(KERNEL_ASM:%.asm=$(1)/obj/%.asm.o)

$(1)/obj/%.o: %.c Makefile
	$$(say) CC $$<
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(KERNEL_CFLAGS) $(2) -MMD -MP -c $$< -o $$@
$(1)/obj/%.asm.o: %.asm Makefile
	$$(say) NASM $$<
	@mkdir -p $$(@D)
	$$(Q)nasm -f elf64 -g -I arch/x86_64/ -MD $$(@:.o=.d) -MP -o $$@ $$<

$(1)/faultline.elf: $$(OBJECTS_$(1)) arch/x86_64/kernel.ld arch/x86_64/symbols.awk
	$$(say) LINK $$@
	$$(Q)$$(CC) $$(KERNEL_LDFLAGS) -o $(1)/pass1.elf $$(OBJECTS_$(1)) -lgcc
	$$(Q)nm -n $(1)/pass1.elf | awk -f arch/x86_64/symbols.awk > $(1)/symbols.asm
	$$(Q)nasm -f elf64 -o $(1)/symbols.o $(1)/symbols.asm
	$$(Q)$$(CC) $$(KERNEL_LDFLAGS) -o $$@ $$(OBJECTS_$(1)) $(1)/symbols.o -lgcc
# GRUB reads the whole file: without debug information it is a tenth.
$(1)/faultline.boot: $(1)/faultline.elf
	$$(Q)objcopy --strip-all $$< $$@

$(1)/faultline.iso: $(1)/faultline.boot build/faultline.img tools/grub.cfg tools/mkiso
	$$(say) ISO $$@
	$$(Q)tools/mkiso $$@ $(1)/faultline.boot build/faultline.img
$(1)/faultline-packed.iso: $(1)/faultline.boot build/faultline-packed.img tools/grub.cfg tools/mkiso
	$$(say) ISO $$@
	$$(Q)tools/mkiso $$@ $(1)/faultline.boot build/faultline-packed.img
$(1)/obj/arch/x86_64/vdso.asm.o: build/vdso/vdso.so
$(1)/obj/kernel/proc_system.o: build/config.gz
-include $$(OBJECTS_$(1):.o=.d)
endef

VARIANT := $(if $(DEBUG),build/debug,build)
.PHONY: all clean test size gdb run-test program-test test-programs test-self programs-expected help
all: $(VARIANT)/faultline.iso

$(eval $(call kernel,build,-DNDEBUG))
$(eval $(call kernel,build/debug,-DLOCK_CHECK))

# The vDSO is code for user mode, a shared object that the kernel contains.
VDSO_CFLAGS := -std=gnu11 -O2 -fPIC -ffreestanding -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fvisibility=hidden -Wall -Wextra -Wshadow -I.
VDSO_LDFLAGS := -shared -nostdlib -Wl,--hash-style=both -Wl,--build-id=sha1 -Wl,-soname=linux-vdso.so.1 -Wl,-Bsymbolic -Wl,--eh-frame-hdr \
	-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--strip-all -T arch/x86_64/vdso/vdso.ld
build/vdso/vdso.so: arch/x86_64/vdso/vdso.c arch/x86_64/vdso/data.h arch/x86_64/vdso/vdso.ld Makefile
	$(say) VDSO $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) $(VDSO_LDFLAGS) -o $@ $<

# What the kernel has: /proc/config.gz.
build/config.gz: kernel/config
	$(say) GZIP $@
	@mkdir -p $(@D)
	$(Q)gzip -9nc $< > $@

# ---- user programs and images ----------------------------------------------------------------------------------------------

USER_PROGRAMS := $(patsubst user/%.c,build/user/%,$(sort $(wildcard user/*.c)))
USER_CFLAGS := -std=gnu11 -O2 -static -s -Wall -Wextra -I.

build/user/%: user/%.c Makefile
	$(say) USER $<
	@mkdir -p $(@D)
	$(Q)musl-gcc $(USER_CFLAGS) -MMD -MP -MF $@.d -o $@ $<
-include $(wildcard build/user/*.d)

IMAGE_PARTS := initrd/mkimage initrd/system initrd/manifest.awk $(shell find initrd/root ! -type l) $(USER_PROGRAMS)
build/faultline.img: $(IMAGE_PARTS)
	$(say) IMAGE $@
	$(Q)initrd/mkimage --programs build/user --out $@
build/faultline-packed.img: $(IMAGE_PARTS)
	$(say) IMAGE $@
	$(Q)initrd/mkimage --programs build/user --packed --out $@

# ---- tests and measurements ------------------------------------------------------------------------------------------------

include $(wildcard tests/host/host.mk tests/guest/guest.mk tests/bench/bench.mk)

# Each part prints TAP; tap-sum runs them one after the other, shows what fails, and adds up.
test:
	$(Q)$(MAKE) --no-print-directory -s -j$(shell nproc) all host-build guest-build DEBUG=1 || { echo "0 passed, 1 failed"; exit 1; }
	$(Q)tools/tap-sum --log build/test.log --timeout 3000 host-test run-test $(if $(wildcard tests/guest/guest.mk),guest-test) program-test

run-test:
	$(Q)printf '%s\n' tests/run/*_test.sh | tools/lanes

# A part that is quick; all of it; what Linux says, as root.
program-test:
	$(Q)DEBUG=1 tests/programs/run quick
test-programs:
	$(Q)tests/programs/run
test-self:
	$(Q)tests/programs/self tests/logs/self.txt
programs-expected:
	$(Q)tests/programs/run --expect tools languages compilers

gdb:
	@command -v gdb > /dev/null || { echo "make gdb wants the package gdb: apt-get install gdb" >&2; exit 1; }
	$(Q)gdb -q -ex 'target remote localhost:$(or $(PORT),1234)' $(VARIANT)/faultline.elf

size:
	$(Q)tools/size

help:
	@sed -n '3,12s/^# *//p' Makefile

clean:
	rm -rf build
