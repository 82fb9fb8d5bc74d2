# Thin: what to run by name. The build itself is CMake's (see CMakePresets.json).
#
#   make            the program, at build/release/bin/inn
#   make demo       the main job on real images, into demo/
#   make test       builds and runs the tests
#   make python     the Python module torch_integral, into .venv
#   make wheel      the same as a wheel with the program, into dist/
#   make examples   builds and runs the examples
#   make bench      measures speed against torch, into docs/speed.md (20 minutes; an idle machine)
#   make install    PREFIX=/usr/local
#   make format     clang-format on every source
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
RELEASE = build/release
PYTHON = $$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)
# Whether that Python has what the module torch_integral is built and tested with.
HAS_NANOBIND = $$(python=$(PYTHON); $$python -c 'import nanobind, pytest' 2>/dev/null && echo ON || echo OFF)

.PHONY: all configure demo test python wheel examples bench install format clean
all: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target inn_program

configure:
	scripts/setup
	cmake --preset release --log-level=WARNING

demo: all
	$(RELEASE)/bin/inn demo --output demo

test: configure
	cmake -S . -B $(RELEASE) -D INN_BUILD_PYTHON=$(HAS_NANOBIND) --log-level=WARNING
	cmake --build $(RELEASE) --parallel $(JOBS)
	ctest --preset release
	if [ $(HAS_NANOBIND) = ON ]; then OMP_NUM_THREADS=1 PYTHONPATH=$(RELEASE)/python $(PYTHON) -m pytest --quiet; \
	else echo 'The Python module was left out: it needs nanobind and pytest.'; fi

python: configure
	cmake -S . -B $(RELEASE) -D INN_BUILD_PYTHON=ON --log-level=WARNING
	cmake --build $(RELEASE) --parallel $(JOBS) --target inn_python inn_python_stub
	cmake --install $(RELEASE) --component python --prefix "$$(python=$(PYTHON); $$python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')"

wheel: configure
	$(PYTHON) -m pip wheel --no-deps --wheel-dir dist .

examples: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target examples
	scripts/run_examples $(RELEASE)/bin

BENCHMARKS = sampling step executor resample
bench: configure
	cmake -S . -B $(RELEASE) -D INN_BUILD_BENCHMARKS=ON --log-level=WARNING
	cmake --build $(RELEASE) --parallel $(JOBS) --target $(addprefix bench_,$(BENCHMARKS) ordering nodes)
	mkdir -p $(RELEASE)/bench
	for name in $(BENCHMARKS); do $(RELEASE)/bin/bench_$$name --seconds 5 > $(RELEASE)/bench/$$name.json || exit 1; done
	$(RELEASE)/bin/bench_nodes > $(RELEASE)/bench/nodes.json
	python3 -m venv $(RELEASE)/bench/venv
	$(RELEASE)/bench/venv/bin/pip install --quiet numpy fast-tsp==0.2.2
	$(RELEASE)/bench/venv/bin/python benchmarks/speed/ordering.py $(RELEASE)/bin/bench_ordering $(RELEASE)/bench/ordering.json $(if $(MODELS),--models $(MODELS))
	python3 benchmarks/speed/table.py docs/speed.md $(RELEASE)/bench

install: configure
	cmake --build $(RELEASE) --parallel $(JOBS) --target inn inn_program
	cmake --install $(RELEASE) --prefix $(PREFIX)

format:
	scripts/format

clean:
	rm -rf build
