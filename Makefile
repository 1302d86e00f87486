# Two commands matter: `make lab` and `make test`. Each sets up what it needs in .venv, from nothing
# but Python >= 3.11, and does so again only when the lock files or pyproject.toml have changed.
# Written for GNU make 3.81, which is what macOS ships.

VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(PYTHON) tools/uv_as_pip.py
INSTALL := $(UV) pip install --quiet --python $(PYTHON)
LESSONS := $(wildcard notebooks/*.ipynb)

# One thread for linear algebra. Tests run in parallel; and the products of a lesson are so small that
# a second thread gains little, while on a busy machine every product waits for it (ten times slower).
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1

# Without a display, a browser of the terminal would open over the address that Jupyter prints.
ifeq ($(DISPLAY)$(WAYLAND_DISPLAY)$(BROWSER)$(filter Darwin,$(shell uname)),)
NO_BROWSER := --no-browser
endif
JUPYTERLAB := $(ONE_THREAD) $(PYTHON) -m jupyterlab --allow-root --log-level=ERROR $(NO_BROWSER) \
    --LabApp.app_settings_dir="$(CURDIR)/tools/jupyterlab"

.PHONY: help lab test clean lesson outputs ledger exercises student teach \
    test-browser test-grading test-compat lint format bench lock
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:  # half an environment is begun again, not continued

help: ## Say what each command does
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read name does; do \
	    printf '  make %-13s %s\n' "$$name" "$$does"; done

# ---- for everyone

lab: $(VENV)/course.stamp ## Open the course in JupyterLab
	@echo "Starting JupyterLab; Ctrl-C here stops it."
	@$(JUPYTERLAB) --LabApp.default_url=/lab/tree/notebooks/00_welcome.ipynb

test: $(VENV)/dev.stamp ## Check that everything here works
	@$(ONE_THREAD) $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
	    --nbval $(LESSONS) --doctest-modules minimlcourse tools --doctest-glob README.md README.md tests \
	    --ignore tools/grader/worker.py  # a script of the sandbox, which has no package around it

clean: ## Remove the environments and all that the other commands made
	rm -rf $(VENV) $(VENV)-compat artifacts dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---- for contributors and teachers: docs/contributing.md and docs/teaching.md say when

lesson: $(VENV)/dev.stamp ## Begin a lesson (NAME=05_backpropagation) from the template
	@$(PYTHON) tools/new_lesson.py "$(NAME)"

outputs: $(VENV)/dev.stamp ## Run the lessons again and store their outputs (LESSONS=... for some)
	@$(ONE_THREAD) $(PYTHON) tools/lessons.py refresh $(LESSONS)

exercises: $(VENV)/dev.stamp ## Make the exercises from their solutions
	@$(PYTHON) tools/exercises.py

student: $(VENV)/dev.stamp ## Pack what a student gets: dist/minimlcourse-student.zip
	@$(PYTHON) tools/student.py

teach: $(VENV)/dev.stamp ## Open JupyterLab with what marks by hand, nbgrader's Formgrader
	@echo "Starting JupyterLab; Ctrl-C here stops it."
	@$(JUPYTERLAB) --LabApp.default_url=/formgrader

ledger: $(VENV)/dev.stamp ## Check the ledger of claims, and write its appendix again
	@$(PYTHON) tools/ledger.py

test-browser: $(VENV)/dev.stamp ## Use the lessons in a real browser, as a student would
	@$(ONE_THREAD) $(PYTHON) -m pytest tests/browser

test-grading: $(VENV)/dev.stamp ## Mark a class of submissions, most of which cheat or break things
	@$(ONE_THREAD) $(PYTHON) -m pytest tests/grading

test-compat: $(VENV)/dev.stamp ## Test the oldest and the newest NumPy and Python, and a bare installation
	@$(ONE_THREAD) $(PYTHON) tools/compat.py
	@$(PYTHON) -m pytest tests/install

lint: $(VENV)/dev.stamp ## Check style and types alone
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy

format: $(VENV)/dev.stamp ## Put code into the common style
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

# PyTorch's own build for this machine may be gigabytes; one that is installed already is kept.
bench: $(VENV)/dev.stamp ## Measure beside PyTorch and autograd (a large download the first time)
	@$(INSTALL) --editable '.[bench]'
	@$(PYTHON) -m benchmarks

# A lock keeps the versions it has: delete it first to take the newest. It must serve every machine,
# so a local folder of packages, which holds one platform's files, is left out of sight.
COMPILE := UV_INDEX= UV_FIND_LINKS= $(UV) pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
    pyproject.toml --extra course
lock: $(PYTHON) ## Pin the dependencies that pyproject.toml declares
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --extra instructor --extra dev --constraint requirements.lock \
	    --output-file requirements-dev.lock
	@$(PYTHON) tools/environment.py > environment.yml

# ---- the environment

# pip installs one thing, the uv that requirements-dev.lock pins; uv does the rest, and faster.
$(PYTHON):
	@python=$$(sh tools/find-python) && echo "Setting up $(VENV): about a minute, this once." && \
	    "$$python" -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.lock
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $(VENV)/uv.lock

$(VENV)/course.stamp: requirements.lock pyproject.toml $(PYTHON)
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml $(PYTHON)
	@$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@$(INSTALL) --no-deps --editable .
	@touch $@
