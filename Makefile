# The README's commands, each from a clean clone: make demo, make web, make test.
PYTHON ?= python3
# This version exists for the CPU and for CUDA; choose another with make TORCH=...
TORCH ?= torch==2.13.0
BIN = $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)

.PHONY: demo web system test lint audit lock sbom citation docs wheel models slicer clean

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

# A process per core, each with one thread, a file at a time; then, whatever that said, what measures
# time. TESTS names files or folders to run instead of all.
test: .venv/ready .venv/system
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder -m "not alone" $(TESTS); \
	first=$$?; $(BIN)/python -m pytest -m alone $(TESTS) || [ $$? = 5 ] && exit $$first

.venv/lint: .venv/ready
	$(BIN)/pip install --quiet --editable ".[lint]"
	touch $@

lint: .venv/lint
	$(BIN)/ruff check CMCSegmentation Testing bench
	$(BIN)/ruff format --check CMCSegmentation Testing
	$(BIN)/mypy

# Asks a public service which packages in use have known weaknesses.
audit: .venv/lint
	$(BIN)/pip-audit --skip-editable

# Whether uv.lock still resolves what pyproject.toml asks for; "uv lock --upgrade" writes it anew.
lock: .venv/lint
	$(BIN)/uv lock --check --no-config

# The bill of materials: every package that is installed, with its version and licence.
sbom: .venv/lint
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.json $(BIN)/python

# Its checker wants older packages than ours, so it lives by itself.
citation:
	$(PYTHON) -m venv build/citation
	build/citation/$(notdir $(BIN))/pip install --quiet cffconvert
	build/citation/$(notdir $(BIN))/cffconvert --validate

docs:
	$(PYTHON) -m venv build/sphinx
	build/sphinx/$(notdir $(BIN))/pip install --quiet sphinx myst-parser furo sphinx-autoapi
	$(PYTHON) docs/draw_imports.py
	build/sphinx/$(notdir $(BIN))/sphinx-build --fail-on-warning --keep-going docs build/docs

# Built, then used where nothing of this folder is in reach.
wheel:
	rm -rf build/wheel dist
	$(PYTHON) -m venv build/wheel
	build/wheel/$(notdir $(BIN))/pip wheel --quiet --no-deps --wheel-dir dist .
	build/wheel/$(notdir $(BIN))/pip install --quiet "$(TORCH)" dist/*.whl
	cd build && wheel/$(notdir $(BIN))/cmcseg models list

# The shipped heart model from the scans in DATA; started again, it goes on where it stopped.
HEART = --cache cache/heart --optimizer muon --paired 0.4 --phantoms 0 --foreign 0.05 --steps 100000
models: cache/heart
	$(BIN)/cmcseg train best $(HEART) --init heart-bssfp-lge --augment 0.6 --rate 1e-3 --minutes 60 --seed 71 --out runs/heart-1
	$(BIN)/cmcseg train best $(HEART) --init runs/heart-1/model --augment 0.3 --rate 6e-4 --minutes 38 --seed 72 --out runs/heart-2
	$(BIN)/cmcseg models compact runs/heart-2/model runs/heart --bits 5

cache/heart: .venv/ready
	$(BIN)/python bench/cohorts.py $(DATA) cache/heart-cohort
	$(BIN)/cmcseg prepare cache/heart-cohort/heart.json --out cache/heart

# make slicer SLICER=/path/to/Slicer: the extension is driven in a released Slicer.
SLICER ?= Slicer
slicer:
	$(SLICER) --no-splash --ignore-slicerrc --additional-module-paths CMCSegmentation --python-script Testing/slicer_real/drive.py

clean:
	rm -rf .venv build demo
