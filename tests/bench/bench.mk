# tests/bench/bench.mk - measurements: what operations cost in instructions, on Faultline and on Debian's Linux.  docs/bench.md tells about them.
.PHONY: bench bench-linux bench-compare

bench: build/faultline.iso
	$(Q)tests/bench/log faultline tools/bench

bench-linux: build/user/vmbench
	$(Q)tests/bench/log linux tests/bench/linux

# From the logs; what has not been measured yet is measured first.
bench-compare: $(if $(wildcard tests/logs/bench-faultline.txt),,bench) $(if $(wildcard tests/logs/bench-linux.txt),,bench-linux)
	$(Q)tests/bench/compare
