# The README's commands, each from a clean clone: make demo, make web, make test.
PYTHON ?= python3
# This version exists for the CPU and for CUDA; choose another with make TORCH=...
TORCH ?= torch==2.13.0
BIN = .venv/bin

.PHONY: demo web system test lint clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[test]"
	touch $@

demo: .venv/ready
	$(BIN)/cmcseg demo demo

web: .venv/ready .venv/drawing
	$(BIN)/cmcseg web cmcseg-web

# What pip cannot bring (a browser, what draws), where this machine allows it.
system: .venv/system

SYSTEM = CMCSegmentation/Resources/system-packages.txt
.venv/system: .venv/ready $(SYSTEM)
	$(BIN)/python Testing/helpers/install_system.py
	touch $@

.venv/drawing: .venv/ready $(SYSTEM)
	$(BIN)/python Testing/helpers/install_system.py drawing
	touch $@

# A process per core, each with one thread, a file at a time; then, whatever that said, what measures time.
test: .venv/ready .venv/system
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder -m "not alone"; \
	first=$$?; $(BIN)/python -m pytest -m alone && exit $$first

lint: .venv/ready
	$(BIN)/ruff check CMCSegmentation Testing
	$(BIN)/ruff format --check CMCSegmentation Testing

clean:
	rm -rf .venv demo
