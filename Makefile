# Each target sets itself up on a fresh machine: a virtual environment in
# $(VENV), the package in it, and what the target needs besides.
#   make quickstart     data, training, test and demo in about ten minutes
#   make test           lint, docstring coverage, docs and tests
#   make docs           the site in docs/_build/html
#   make PYTHON=python3.12 VENV=.venv312 test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
# Processes that run tests side by side.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
SOURCES := mmvideomamba tools configs tests benchmarks demo docs/consumers docs/conf.py

.PHONY: quickstart test lint docs clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip 'setuptools>=77.0.3,<82'

# By itself, as its requirement decord has no wheel for some machines; where
# there is a wheel, the next step installs decord.
$(VENV)/.host: setup.cfg | $(BIN)/python
	$(BIN)/python -m pip install --no-deps "$$(sed -n 's/^ *\(mmaction2==[0-9.]*\).*/\1/p' setup.cfg)"
	touch $@

$(VENV)/.quickstart: $(VENV)/.host
	$(BIN)/python -m pip install -e '.[quickstart,demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.host
	$(BIN)/python -m pip install -e '.[dev,quickstart,demo,multimodal,adapters]' ttach
	# By itself, as it asks for a second OpenCV in the folder of the first.
	$(BIN)/python -m pip install --no-deps grad-cam==1.5.7
	# Aside, as transformers would load it in every process.
	$(BIN)/python -m pip install --no-deps --target $(VENV)/share/torchao torchao==0.18.0
	touch $@ $(VENV)/.quickstart

quickstart: $(VENV)/.quickstart
	$(RUN) bash tools/quickstart.sh

lint: $(VENV)/.dev
	$(BIN)/python -m flake8 $(SOURCES)
	$(BIN)/python -m isort --check-only --diff $(SOURCES)
	$(BIN)/python -m yapf --diff --recursive --parallel $(SOURCES)
	$(BIN)/codespell $(SOURCES) docs README.md CONTRIBUTING.md
	$(BIN)/pymarkdown --disable-rules '*' --enable-rules md013 scan --recurse \
		README.md CONTRIBUTING.md docs configs benchmarks mmvideomamba tests tools
	$(BIN)/python -m mypy mmvideomamba tools benchmarks demo
	$(BIN)/python tests/plain_words.py mmvideomamba tools configs demo benchmarks tests
	$(BIN)/hadolint docker/Dockerfile docker/cpu.Dockerfile
	$(BIN)/interrogate --fail-under 95 --ignore-init-method --ignore-nested-functions \
		--ignore-private --ignore-semiprivate --ignore-magic mmvideomamba

# Anew each time: a page that is built already would hide its warnings.
docs: $(VENV)/.dev
	rm -rf docs/_build
	$(RUN) python -m sphinx -q -n -W --keep-going -c docs \
		-d docs/_build/doctrees . docs/_build/html

test: lint docs
	$(RUN) python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info
