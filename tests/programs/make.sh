# make: rules, dependencies, jobs side by side.
cat > Makefile <<'EOF'
objects := $(patsubst %,%.o,a b c d)
all: program
	@echo done
program: $(objects)
	@cat $^ > $@
%.o: %.c
	@sleep 0.2; cp $< $@; echo made $@
clean: ; rm -f *.o program
.PHONY: all clean
EOF
for x in a b c d; do echo $x > $x.c; done
make -j4 | sort; cat program; make; touch -d '+1 hour' b.c; make 2> /dev/null | grep made; make -n clean; make -s clean; ls; make nothing 2>&1 | sed 's/^make: //'; echo ${PIPESTATUS[0]}; make --version | head -n 1 | cut -d' ' -f1,2; make -f <(printf 'x:\n\t@echo from a pipe; false\n') 2>&1 | head -n 1
