# The course's commands. Each makes the environment in .venv on first use.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: help check watch plan interview cheatsheet progress quiz test lab real slides site reset update bench release collect grade live setup-classroom lock
.DEFAULT_GOAL := help

help:  ## show this list
	@echo "make check               grade your notebooks: what is solved, what is next"
	@echo "make watch               the same, each time you save; q quits"
	@echo "make lab                 open the course in JupyterLab"
	@echo "make quiz                answer ten questions; make quiz ARGS=\"--topic lora --exam\" chooses"
	@echo "make plan                what to do until your interview, step by step"
	@echo "make interview           a mock interview, timed, with a debrief"
	@echo "make cheatsheet          formulas, numbers, recipes and traps a topic on two pages at most; ARGS=\"all --pdf\" chooses"
	@echo "make progress            what you know, now and on the interview's day, on one page"
	@echo "make real                fetch a real language model (SmolLM2, 93 MB), once; then it loads without a network"
	@echo "make slides              the topics as slides, in the folder slides"
	@echo "make site                the course as a web site, in the folder website"
	@echo "make reset               list the backups; PROBLEM=lora STUB=inject_lora blanks one stub (your text is kept)"
	@echo "make update              the newest edition of the course, with your work carried over"
	@echo "make test                run the tests of the course itself"
	@echo "make bench               measure grading time and training speed"
	@echo
	@echo "For instructors (python -m classroom --help tells more):"
	@echo "make release OUT=DIR                    what students get, as a folder and a zip"
	@echo "make collect FROM=\"A.zip B.zip\" OUT=DIR  one folder a student"
	@echo "make grade DIR=COLLECTED OUT=DIR        grade them, in a sandbox"
	@echo "make live TOPIC=lora                     questions for a room, answered on its phones"
	@echo "make setup-classroom                    is the sandbox ready, and if not, what to install"

check: $(READY)
	@$(RUN) -m pytest tests/problems -qq --no-header --tb=no -rN --disable-plugin-autoload -p no:unraisableexception \
		-p no:cacheprovider $(if $(NOTEBOOKS),--notebooks "$(NOTEBOOKS)")

watch: $(READY)
	@$(RUN) -m grader.watch $(if $(NOTEBOOKS),--notebooks "$(NOTEBOOKS)")

quiz: $(READY)
	@$(RUN) -m quiz $(ARGS)

test: $(READY)
	@$(RUN) -m ruff check --quiet .
	@OMP_NUM_THREADS=1 $(RUN) -m pytest tests notebooks --ignore=tests/problems --ignore=tests/own --ignore=notebooks/09_real_model.ipynb --nbval --nbval-current-env -q \
		-n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

plan: $(READY)
	@$(RUN) -m coach plan $(ARGS) || test $$? -eq 1  # it was left, which is no error

interview: $(READY)
	@$(RUN) -m coach interview $(ARGS) || test $$? -eq 1

progress: $(READY)
	@$(RUN) -m coach progress $(ARGS)

cheatsheet: $(READY)
	@$(RUN) -m coach cheatsheet $(ARGS)

lab: $(READY)
	@$(RUN) -m desk lab $(ARGS)

real: $(READY)
	@$(RUN) -m lab.smollm2
	@$(RUN) -c 'import importlib.util as u; u.find_spec("trl") or print("To see TRL train it too: $(RUN) -m pip install -r requirements-real.txt -c constraints.txt")'

slides: $(READY)
	@$(RUN) -m jupyter nbconvert --config lab/slides/config.py notebooks/0[1-5]_*.ipynb notebooks/10_*.ipynb
	@ls slides/*.slides.html
	@echo "They need no network, and the folder slides/scripts. For a PDF: open a page in Chrome, put ?print-pdf after .html, and print."

site: $(VENV)/.site
	@$(RUN) site/build.py $(ARGS)
$(VENV)/.site: $(READY) requirements-site.txt constraints.txt
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-site.txt -c constraints.txt
	@touch $@

reset: $(READY)
	@$(RUN) -m grader.reset $(PROBLEM) $(STUB) $(if $(BACK),--back "$(BACK)")

update: $(READY)
	@$(RUN) -m desk update "$(FROM)"

bench: $(READY)
	@$(RUN) tests/benchmarks/bench.py

# Names of files go through the environment, where neither make nor the shell reads them: they have blanks, quotes, dollar signs.
release collect grade: export OF_OUT := $(value OUT)
collect: export OF_FROM := $(value FROM)
grade: export OF_DIR := $(value DIR)

release collect grade: $(READY)
	@test -n "$$OF_OUT" || { echo "Where to? For example: make $@ OUT=../class"; exit 2; }
	@$(RUN) -m classroom $@ $(if $(filter collect,$@),--from "$$OF_FROM") $(if $(filter grade,$@),"$$OF_DIR") --out "$$OF_OUT" $(ARGS)

live: $(VENV)/.live
	@$(RUN) -m classroom live $(if $(TOPIC),--topic "$(TOPIC)") $(ARGS)
$(VENV)/.live: $(READY) requirements-live.txt constraints.txt
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-live.txt -c constraints.txt
	@touch $@

setup-classroom: $(READY)
	@$(RUN) -m classroom setup

# Pins every package that the requirements need, on every system and Python. What is pinned stays as it is, unless
# ARGS=--upgrade asks for the newest. The libraries of CUDA are left to torch: each of its builds needs versions of its own.
lock:
	@tools=$$(mktemp -d) && trap "rm -rf $$tools" EXIT && $(PYTHON) -m venv $$tools && \
		$$tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 && cp constraints.txt $$tools/lock && \
		$$tools/bin/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-package finetuning-course \
			--custom-compile-command "make lock" $(ARGS) requirements*.txt -o $$tools/lock && \
		grep -vE "^(cuda|nvidia)-" $$tools/lock > constraints.txt

# requirements.txt holds what the course uses, constraints.txt the version of everything that these packages need in turn,
# and pyproject.toml names our packages; the stamp says that all was installed.
$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "This course needs Python 3.11, 3.12, 3.13 or 3.14. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV): this takes some minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt -c constraints.txt
	@$(RUN) -m desk.server > /dev/null
	@touch $(READY)
