# The course's commands. Each makes the environment in .venv on first use.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
NOTEBOOKS ?= notebooks
READY := $(VENV)/.ready

.PHONY: help check quiz test lab slides reset bench release collect grade setup-classroom
.DEFAULT_GOAL := help

help:  ## show this list
	@echo "make check               grade your notebooks: what is solved, what is next"
	@echo "make lab                 open the course in JupyterLab"
	@echo "make quiz                answer ten questions; make quiz ARGS=\"--topic lora --exam\" chooses"
	@echo "make slides              the five topics as slides, in the folder slides"
	@echo "make reset PROBLEM=lora  set the stubs of a problem back to blank (your text is kept)"
	@echo "make test                run the tests of the course itself"
	@echo "make bench               measure grading time and training speed"
	@echo
	@echo "For instructors (python -m classroom --help tells more):"
	@echo "make release OUT=DIR                    what students get, as a folder and a zip"
	@echo "make collect FROM=\"A.zip B.zip\" OUT=DIR  one folder a student"
	@echo "make grade DIR=COLLECTED OUT=DIR        grade them, in a sandbox"
	@echo "make setup-classroom                    is the sandbox ready, and if not, what to install"

check: $(READY)
	@$(RUN) -m pytest tests/problems -q --no-header --tb=no -rN -p no:nbval -p no:anyio --notebooks "$(NOTEBOOKS)"

quiz: $(READY)
	@$(RUN) -m quiz $(ARGS)

test: $(READY)
	@$(RUN) -m ruff check --quiet .
	@OMP_NUM_THREADS=1 $(RUN) -m pytest tests notebooks --ignore=tests/problems --nbval --nbval-current-env -q \
		-n logical --maxprocesses 4 --dist loadfile

lab: $(READY)
	@$(RUN) -m jupyter lab --LabApp.default_url=/lab/tree/notebooks/06_problem_sft.ipynb

slides: $(READY)
	@$(RUN) -m jupyter nbconvert --config lab/slides/config.py notebooks/0[1-5]_*.ipynb
	@ls slides/*.slides.html

reset: $(READY)
	@test -n "$(PROBLEM)" || { echo "Which problem? For example: make reset PROBLEM=lora"; exit 2; }
	@$(RUN) -m grader.reset "$(PROBLEM)"

bench: $(READY)
	@$(RUN) tests/benchmarks/bench.py

release collect grade: $(READY)
	@test -n "$(OUT)" || { echo "Where to? For example: make $@ OUT=../class"; exit 2; }
	@$(RUN) -m classroom $@ $(FROM) $(DIR) --out "$(OUT)" $(ARGS)

setup-classroom: $(READY)
	@$(RUN) -m classroom setup

# requirements.txt holds everything, and pyproject.toml names our packages; the stamp says that all was installed.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "This course needs Python 3.11 or newer. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV): this takes some minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt
	@touch $(READY)
