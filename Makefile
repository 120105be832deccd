# `make demo` and `make test` set up what they need; nothing else has to be run first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEMO ?= demo
DEMO_FLAGS ?=
# Of the benchmarks, such as --quick.
FLAGS ?=
# Where their figures go; those of docs/figures are a page of the documentation.
BENCH ?= bench
# One thread a process: on two cores a second thread that waits for the other makes both slower.
export OMP_NUM_THREADS ?= 1

# The last two need real clips and real logs.
BENCHMARKS ?= world train shifts shift_bound norms ablations history crash durability ingest encoders freshness pipeline sequences scaling evaluate retrieval feed guard console soak corpus kuairand

.PHONY: setup demo test test-slow test-benchmarks lint docs bench dist check-dist constraints clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Swipewise needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[console,dev,foundation,onnx,otel,postgres,ray,screen,text]'
	touch $(STAMP)

demo: setup
	$(BIN)/swipewise demo $(DEMO_FLAGS) $(DEMO)

# Modules are compiled once, those of the tests too, not in each of the processes.
test: export PYTHONDONTWRITEBYTECODE =
test: setup
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# What `make test` leaves out: command lines of the pages that take minutes, as they stand, and tests as long.
test-slow: setup
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m slow

# The benchmarks that the pages name, run small: one after another, as they measure; takes an hour.
test-benchmarks: setup
	$(BIN)/python -m pytest -q -m benchmark tests/docs/slow/test_benchmarks.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: setup
	$(BIN)/python -m mkdocs build --strict

# What was measured before stays on the page until it is measured again.
bench: setup
	@mkdir -p $(BENCH); failed=; \
	for name in $(BENCHMARKS); do \
		echo "benchmarks/$$name.py"; \
		$(BIN)/python benchmarks/$$name.py $(FLAGS) --json $(BENCH)/$$name.json || failed="$$failed $$name"; \
	done; \
	$(BIN)/python benchmarks/page.py $(BENCH) > $(BENCH)/figures.md; echo "all figures are in $(BENCH)/figures.md"; \
	test -z "$$failed" || { echo "missed a bar or failed:$$failed" >&2; exit 1; }

dist: setup
	rm -rf dist
	$(BIN)/python -m build --outdir dist

# Installs both into an empty environment and runs the demo there; takes minutes.
check-dist: setup
	rm -rf dist
	$(BIN)/python .ci/check_dist.py dist

constraints: setup
	$(BIN)/python .ci/constraints.py > constraints.txt

clean:
	rm -rf bench demo dist site .mypy_cache .ruff_cache .pytest_cache
