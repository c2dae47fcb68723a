# The commands of this project. Each works in a bare clone that has Python 3.11 to 3.13.
#
#   make demo    live calls, human and synthetic, in a few minutes   KEEP=1  PROTOCOLS=all  ARGS=…
#   make test    the whole suite, CPU only                           ARGS="-k stepper -x"
#   make check   format, lint, types, import contracts
#   make bench   the benchmarks at quick settings
#   make fuzz    coverage-guided fuzzing of every dialect             FUZZ_SECONDS=300  CODECS=…
#   make api     write deploy/api anew: OpenAPI and AsyncAPI
#   make fmt     rewrite the code in this project's format
#   make clean   remove what these commands made, the environment too

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SAY := @printf '%s\n' >&2

# What `python3` is called here; the first that this project runs on is taken. PYTHON=… overrides.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)

# One stamp per level, so that the demo never waits for torch.
SERVING := $(VENV)/.serving
DEVELOPING := $(VENV)/.developing
FUZZING := $(VENV)/.fuzzing

# Types take a minute to check: they are found right once for the same sources and versions.
TYPED := $(VENV)/.typed
TYPED_FROM := { echo pyproject.toml; echo constraints.txt; find streamtrace trainer benchmarks \
	-name node_modules -prune -o -name '*.py' -print; } | LC_ALL=C sort | xargs sha256sum

# Every benchmark at settings that take a few minutes in all; benchmarks/README.md has the others.
QUICK := latency,--calls,8,--seconds,10 capacity,--calls,20,--seconds,6 soak,--seconds,600 \
	overload,--calls,10,--seconds,6

# Of every dialect.
FUZZ_SECONDS := 300

# The demo reads these two from its environment.
export KEEP PROTOCOLS

# Built with the package; anew where its sources have changed since.
DASHBOARD := streamtrace/dashboard/dist/index.html
DASHBOARD_SOURCES := $(wildcard streamtrace/dashboard/src/* streamtrace/dashboard/public/*/* \
	streamtrace/dashboard/*.json streamtrace/dashboard/*.ts streamtrace/dashboard/index.html)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fuzz api fmt clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(SERVING) $(DASHBOARD)
	@exec $(BIN)/python -m streamtrace.demo $(ARGS)

test: $(DEVELOPING) $(DASHBOARD)
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(DEVELOPING)
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff . ; exit 1; }
	@$(BIN)/ruff check --quiet .
	@now=$$($(TYPED_FROM) | sha256sum); [ -n "$$now" ] && [ "$$now" = "$$(cat $(TYPED) 2>/dev/null)" ] \
	  || { $(BIN)/pyright --warnings && printf '%s\n' "$$now" > $(TYPED); }
	@$(BIN)/lint-imports --no-logo

bench: $(DEVELOPING)
	@set -e; for settings in $(QUICK); do \
	  printf '%s\n' "bench $$settings" | tr , ' ' >&2; \
	  $(BIN)/streamtrace bench $$(printf '%s' "$$settings" | tr , ' ') $(ARGS); printf '\n'; \
	done

# Inputs that reach new code, and the one that breaks a law, go to the corpus; `make test` replays it.
fuzz: $(FUZZING)
	@set -e; for codec in $(or $(CODECS),$$($(BIN)/python -m tests.fuzz --list)); do \
	  found=$$(mktemp -d); \
	  nice -n 19 $(BIN)/python -m tests.fuzz $$codec $$found tests/fuzz/corpus/$$codec \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
	    -artifact_prefix=tests/fuzz/corpus/$$codec/ $(ARGS); \
	  nice -n 19 $(BIN)/python -m tests.fuzz $$codec -set_cover_merge=1 tests/fuzz/corpus/$$codec $$found; \
	  rm -r $$found; \
	done

api: $(SERVING)
	@$(BIN)/python -m streamtrace.server.api

fmt: $(DEVELOPING)
	@$(BIN)/ruff check --select I --fix --quiet . && $(BIN)/ruff format --quiet .

$(DASHBOARD): $(DASHBOARD_SOURCES) | $(SERVING)
	@$(BIN)/python streamtrace/dashboard/build.py

clean:
	rm -rf $(VENV) streamtrace/dashboard/dist streamtrace/dashboard/node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache .cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'This needs Python 3.11, 3.12 or 3.13; say where it is with PYTHON=…' >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$found" >&2; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$$found cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }

# The level above holds the one below, so a full environment is never thinned out.
$(SERVING): pyproject.toml constraints.txt | $(BIN)/python
	$(SAY) 'Installing what serving needs (once; a minute or two)'
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(DEVELOPING): pyproject.toml constraints.txt | $(BIN)/python
	$(SAY) 'Installing what tests and the trainer need (once; some minutes, torch is large)'
	@$(PIP) install -c constraints.txt -e '.[train,ssl,postgres,dev]'
	@touch $@ $(SERVING)

$(FUZZING): $(DEVELOPING)
	$(SAY) 'Installing the fuzzer (once; Linux on x86-64)'
	@$(PIP) install -c constraints.txt -e '.[fuzz]'
	@touch $@
