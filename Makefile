# make demo      set up, then train and test on drawn data (CPU, minutes)
# make install   set up only
# make test      set up what tests need, then run them all
# The rest: test-openmmlab, test-browser (needs a Chromium), test-ray, lint, lock, clean.

PYTHON ?= python3
LINE ?= onedl
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
BROWSER ?= chromium
# Processes of the suite.
JOBS ?= 2

# mmcv must not compile, whatever is installed: custom_datasets brings the operators.
export MMCV_WITH_OPS := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install --progress-bar off --build-constraint requirements/build.txt

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header

.PHONY: demo install test test-openmmlab test-browser test-ray lint lock clean

demo: install
	$(BIN)/python tools/demo.py

install: $(VENV)/.installed

test: $(VENV)/.tests-installed
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadgroup $(PYTEST_ARGS)

# torch 2.1.2 exists for Python 3.10 and 3.11.
test-openmmlab:
	$(MAKE) test VENV=.venv-openmmlab LINE=openmmlab

# The script of the pages, and the demo; the suite needs no browser and leaves both out.
test-browser: $(VENV)/.tests-installed
	BROWSER=$(BROWSER) $(BIN)/python -m pytest -m browser \
	  tests/pages/test_script.py tests/serving/test_demo_browser.py

# A cluster on this machine, of two processes with a model; minutes on two cores.
test-ray: $(VENV)/.ray-installed
	TEST_RAY=1 $(BIN)/python -m pytest -m ray tests/serving/test_ray.py $(PYTEST_ARGS)

lint: $(VENV)/.lint-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Each line has a numpy of its own, which the extras leave to it.
lock: $(VENV)/.lint-installed
	for line in onedl openmmlab lint; do \
	  $(COMPILE) --output-file requirements/$$line.txt requirements/$$line.in || exit 1; \
	done
	for extra in tests serve demo ray export generation; do \
	  $(COMPILE) --constraint requirements/openmmlab.txt --no-emit-package numpy \
	    --output-file requirements/$$extra.txt requirements/$$extra.in || exit 1; \
	done

clean:
	rm -rf .venv .venv-openmmlab data/sample work_dirs/sample

# An interrupted set-up leaves .installing behind, and the next one starts afresh.
$(VENV)/.installed: requirements/$(LINE).txt requirements/build.txt setup.py
	@$(PYTHON) -c 'import sys; ok = (3, 10) <= sys.version_info[:2] <= (3, 12); \
	  sys.exit(0 if ok else "error: Python 3.10, 3.11 or 3.12 is needed, and " \
	  + sys.executable + " is " + sys.version.split()[0] \
	  + "; name another: make PYTHON=python3.11 ...")'
	@if [ -e $(VENV)/.installing ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; \
	  then $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(VENV)/.installing
	$(PIP) install --quiet --requirement requirements/build.txt
	$(INSTALL) --quiet --requirement requirements/$(LINE).txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -c 'import custom_datasets, mmcv.ops, mmdet, mmpretrain'
	@rm $(VENV)/.installing
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.installed requirements/tests.txt
	$(INSTALL) --quiet --requirement requirements/tests.txt
	@touch $@

$(VENV)/.ray-installed: $(VENV)/.tests-installed requirements/ray.txt
	$(INSTALL) --quiet --requirement requirements/ray.txt
	@touch $@

$(VENV)/.lint-installed: $(VENV)/.installed requirements/lint.txt
	$(INSTALL) --quiet --requirement requirements/lint.txt
	@touch $@
