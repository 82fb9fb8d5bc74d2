# Thin: what to run by name. The build itself is CMake's (see CMakePresets.json).
#
#   make            the program, at build/release/bin/inn
#   make demo       the main job on real images, into demo/
#   make test       builds and runs the tests
#   make examples   builds and runs the examples
#   make install    PREFIX=/usr/local
#   make format     clang-format on every source
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
RELEASE = build/release

.PHONY: all configure demo test examples install format clean
all: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target inn_program

configure:
	scripts/setup
	cmake --preset release --log-level=WARNING

demo: all
	$(RELEASE)/bin/inn demo --output demo

test: configure
	cmake --build $(RELEASE) --parallel $(JOBS)
	ctest --preset release

examples: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target examples
	scripts/run_examples $(RELEASE)/bin

install: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target inn inn_program
	cmake --install $(RELEASE) --prefix $(PREFIX)

format:
	scripts/format

clean:
	rm -rf build
