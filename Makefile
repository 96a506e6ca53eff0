# Commands for users and for continuous integration. `make help` lists them.

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# The stamp names the Python of .venv. Without PYTHON=..., that one is kept; another one makes .venv anew.
STAMP := $(firstword $(wildcard $(VENV)/.complete-*))
ifneq ($(PYTHON),)
  STAMP := $(VENV)/.complete-$(notdir $(PYTHON))
else ifneq ($(STAMP),)
  PYTHON := $(patsubst $(VENV)/.complete-%,%,$(STAMP))
else
  PYTHON := $(shell for name in python3.11 python3.12 python3.13; do \
    $$name -c "" 2>/dev/null && echo $$name && exit; done; echo python3.11)
  STAMP := $(VENV)/.complete-$(PYTHON)
endif
export PATH := $(BIN):$(PATH)
PYTEST := python -m pytest -n 2 --dist worksteal
EXPERIMENT ?= tiny

.PHONY: run setup test test-slow test-release test-cluster check format same-results bench verdicts rehearse rehearse-wide drill check-archive plan base results results-tables doctor config-docs docs clean help

run: setup  ## set up and run the default experiment: tables, figures, report
	snakemake --cores all --config experiment=$(EXPERIMENT)
	@echo "open results/$(EXPERIMENT)/report/index.html"

setup: $(STAMP)  ## create .venv with exactly the pinned versions (PYTHON=python3.12 for another Python)

$(STAMP): envs/weft.lock.txt envs/dev.lock.txt pyproject.toml
	@version=$$($(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])" 2>/dev/null); \
	case "$$version" in \
	  3.11|3.12|3.13) ;; \
	  "") echo "weft needs Python 3.11, 3.12 or 3.13, but the command $(PYTHON) does not run;" \
	    "install one of them, or name it: make PYTHON=path/to/python3.12" >&2; exit 2 ;; \
	  *) echo "weft needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is Python $$version;" \
	    "name another one: make PYTHON=python3.12" >&2; exit 2 ;; \
	esac
	$(PYTHON) -m venv --clear $(VENV)
	pip install --quiet --disable-pip-version-check -r envs/dev.lock.txt
	pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	python -m weft doctor --build
	touch $@

test: setup  ## set up and run the tests (under ten minutes)
	$(PYTEST)

test-slow: setup  ## run the slow tests: pretraining, the whole workflow, interruptions
	python -m pytest -m slow -n 2 --dist loadfile

test-release: setup  ## run a whole small experiment with the installed wheel (four minutes)
	python -m pytest -m release

test-cluster: setup  ## run the workflow on a Slurm of two nodes on this machine, and disturb it (needs slurm-wlm)
	python -m pytest -m cluster

rehearse: setup  ## run the whole grid of experiments/paper.yaml with small networks from a hub on this machine
	python -m pytest -m rehearsal

check: setup  ## check format, lint, docstrings, types, imports, the workflow and the site
	ruff format --check .
	ruff check .
	pydoclint --quiet weft perf
	mypy
	lint-imports --no-cache
	snakefmt --check Snakefile workflow
	snakemake --lint
	python -m mkdocs build --strict

format: setup  ## format Python and Snakemake files
	ruff format .
	ruff check --fix .
	snakefmt Snakefile workflow

same-results: setup  ## compare all numbers with another commit: BASE=<commit>, QUICK=1 without running the experiment
	python -m tools.same_results --base "$(or $(BASE),HEAD)" --experiment $(EXPERIMENT) \
	  $(if $(BASE_TREE),--base-tree $(BASE_TREE)) $(if $(QUICK),--quick)

bench: setup  ## measure the start of commands, the report, and speed and memory relative to the published code (16 minutes)
	python -m perf startup
	python -m perf report
	python -m perf score
	python -m perf training
	python -m perf sampler

verdicts: setup  ## score MATH-500 answers alone and beside 16 busy processes; the scores must be equal (GENERATIONS=<folder>)
	python -m perf verdicts $(or $(GENERATIONS),../shared/data/d1_baselines)

drill: setup  ## interrupt a small experiment at random and compare with an undisturbed run (FAULTS=50 SEED=1)
	python -m tools.drill results/drill/seed$(or $(SEED),1) --faults $(or $(FAULTS),50) --seed $(or $(SEED),1) \
	  $(if $(DAMAGE),--damage "$(DAMAGE)")

rehearse-wide: setup  ## train and sample two layers of LLaDA-8B's width at 4,096 tokens on the processor (7 minutes, 6.2 GiB)
	python -m tools.rehearse_wide results/wide

check-archive:  ## check an archive by the public validator of RO-Crates (ARCHIVE=tiny.crate.zip)
	test -x .venv-archive/bin/rocrate-validator || { $(PYTHON) -m venv --clear .venv-archive && \
	  .venv-archive/bin/pip install --quiet --disable-pip-version-check -r envs/archive.lock.txt; }
	.venv-archive/bin/python tools/check_archive.py "$(or $(ARCHIVE),$(EXPERIMENT).crate.zip)"

plan: setup  ## print the jobs and downloads of an experiment without running it (EXPERIMENT=paper)
	python -m weft plan $(EXPERIMENT)
	@jobs=$$(snakemake -n --quiet rules host --config experiment=$(EXPERIMENT) 2>&1) || \
	  { echo "$$jobs" >&2; exit 1; }; \
	echo "$$jobs" | awk '/^Job stats:/ { part++ } part == 2 && /^$$/ { part++ } part != 2'  # not the table again

base: setup  ## train the small base model anew into results/tiny/pretrained (80 minutes), and print what it can do
	snakemake --cores all base
	python -m tools.base_parts results/tiny/pretrained --count 400

results: setup  ## run what docs/results lacks of an experiment, and store it there (EXPERIMENT=few-shot)
	while true; do \
	  targets=$$(python -m tools.stored_results missing --experiment $(EXPERIMENT)) || exit 1; \
	  [ -n "$$targets" ] || break; \
	  snakemake --cores all --config experiment=$(EXPERIMENT) -- $$targets || exit 1; \
	  python -m tools.stored_results store --experiment $(EXPERIMENT) || exit 1; \
	done

results-tables: setup  ## make tables, figures and page of an experiment from docs/results alone (EXPERIMENT=few-shot)
	rm -rf results/stored/$(EXPERIMENT)
	python -m tools.stored_results restore --experiment $(EXPERIMENT) results/stored/$(EXPERIMENT)
	cd results/stored && for part in tables figures; do python -m weft report $$part \
	  --experiment $(EXPERIMENT)/$(EXPERIMENT).yaml --out $(EXPERIMENT)/$$part $(EXPERIMENT) || exit 1; done
	cd results/stored && python -m weft report page --experiment $(EXPERIMENT)/$(EXPERIMENT).yaml \
	  --figures $(EXPERIMENT)/figures --out $(EXPERIMENT)/report/index.html $(EXPERIMENT)

doctor: setup  ## print versions and devices, and what would stop a run (EXPERIMENT=paper)
	python -m weft doctor $(EXPERIMENT)

config-docs: setup  ## write docs/config.md and the schema of config.yaml from the settings' descriptions
	python -m tools.config_docs > docs/config.md
	python -m tools.config_schema > workflow/schemas/config.schema.yaml

docs: setup  ## build the documentation site into site/, with warnings as errors
	python -m mkdocs build --strict
	@echo "open site/index.html; to search as well: python -m http.server --directory site"

clean:  ## remove results and Snakemake's records, but keep the environment
	rm -rf results/*/ .snakemake

help:  ## print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
