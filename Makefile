# streamstore.h is one file and needs no building. This builds and runs what is around it.
#
#     make            examples and tools
#     make demo       runs examples/demo.c, which leaves build/blackbox.sstore
#     make test       every test, in under two minutes: needs a C compiler and make
#     make check      the tests again under sanitizers and valgrind, and fuzzing; SCALE=0.1 is
#                     a tenth of the rounds
#     make fuzz       the fuzzers, each for SECONDS=600 on all processors; FUZZ=name: only that
#                     one; AFL=1: with AFL++
#     make coverage   what of the header the tests run; needs clang 19
#     make bench      benchmarks; BENCH=append: only tests/bench/bench_append
#     make lint       the rules of the house
#     make install    the header to $(DESTDIR)$(PREFIX)/include
#
# POSIX make and cc; everything is built under build/. `make CC=clang CFLAGS=-O3` overrides.

CC = cc
CXX = c++
CFLAGS = -O2 -g
CXXFLAGS = -O2 -g
RACE_CFLAGS = -O2
LONG_CFLAGS = -O1
TEST_CFLAGS = -O0
PREFIX = /usr/local
DESTDIR =
SCALE = 1
SECONDS = 600
FUZZ =
AFL =
BENCH =

SETTINGS = BUILD=build MAKE='$(MAKE)' CC='$(CC)' CXX='$(CXX)' CFLAGS='$(CFLAGS)' \
    CXXFLAGS='$(CXXFLAGS)' SCALE='$(SCALE)'
TEST_SETTINGS = RACE_CFLAGS='$(RACE_CFLAGS)' LONG_CFLAGS='$(LONG_CFLAGS)' \
    TEST_CFLAGS='$(TEST_CFLAGS)' TEST_CXXFLAGS='$(TEST_CFLAGS)'

all:
	@$(SETTINGS) sh tests/build.sh examples tools

demo:
	@$(SETTINGS) sh tests/build.sh build/examples/demo
	@cd build && examples/demo

# A program that does not compile counts as a failed test, so the run goes on without it.
test:
	-@$(SETTINGS) $(TEST_SETTINGS) sh tests/build.sh tests examples tools
	@$(SETTINGS) sh tests/run.sh

check:
	@$(SETTINGS) $(TEST_SETTINGS) sh tests/check.sh

fuzz:
	@$(SETTINGS) FUZZ_SECONDS='$(SECONDS)' FUZZ='$(FUZZ)' AFL='$(AFL)' sh tests/fuzz/run.sh

coverage:
	@$(SETTINGS) sh tests/coverage.sh

bench:
	@$(SETTINGS) BENCH='$(BENCH)' sh tests/bench.sh

lint:
	@$(SETTINGS) sh tests/lint.sh

install:
	mkdir -p '$(DESTDIR)$(PREFIX)/include'
	cp streamstore.h '$(DESTDIR)$(PREFIX)/include/streamstore.h'
	chmod 644 '$(DESTDIR)$(PREFIX)/include/streamstore.h'

clean:
	rm -rf build

.PHONY: all demo test check fuzz coverage bench lint install clean
