# tests/bench/bench.mk - measurements: what operations cost in instructions, on Faultline and on Debian's Linux.  docs/bench.md tells about them.
.PHONY: bench bench-fork-copy bench-linux bench-compare bench-smp

bench: build/faultline.iso
	$(Q)tests/bench/log faultline tools/bench

# Fork as Linux does it, with all tables copied.
bench-fork-copy: build/faultline.iso
	$(Q)BENCH_APPEND=fork=copy tests/bench/log fork-copy tools/bench fork-0 fork-1m fork-16m fork-64m cow-copy cow-reuse

bench-linux: build/user/vmbench
	$(Q)tests/bench/log linux tests/bench/linux

# How page faults scale with processors.  On an idle machine with as many of them: it is timed, not counted.
bench-smp: build/faultline.iso
	$(Q)tests/bench/log smp tests/bench/smp

# From the logs; what has not been measured yet is measured first.
bench-compare: $(if $(wildcard tests/logs/bench-faultline.txt),,bench) $(if $(wildcard tests/logs/bench-linux.txt),,bench-linux)
	$(Q)tests/bench/compare
