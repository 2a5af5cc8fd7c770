# The README's commands, each from a clean clone: make demo, make web, make test.
PYTHON ?= python3
# This version exists for the CPU and for CUDA; choose another with make TORCH=...
TORCH ?= torch==2.13.0
BIN = .venv/bin

.PHONY: demo web test lint clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

demo: .venv/ready
	$(BIN)/cmcseg demo demo

web: .venv/ready
	$(BIN)/cmcseg web cmcseg-web

# A process per core, each with one thread, a file at a time; then what measures time.
test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone

lint: .venv/ready
	$(BIN)/ruff check CMCSegmentation Testing
	$(BIN)/ruff format --check CMCSegmentation Testing

clean:
	rm -rf .venv demo
