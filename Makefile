# make repro   install, run the whole flow, print the results and where the report is
# make test    install, run the tests
# Both install into .venv once, from the exact pins of requirements.lock.
.PHONY: repro test clean
.DELETE_ON_ERROR:

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)

repro: .venv/installed
	dvc repro --quiet
	python -m pipelines.report data/report --summary

test: .venv/installed
	python -m pytest

.venv/installed: requirements.lock
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Simulacra needs Python 3.11 or newer; run make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements.lock
	touch $@

clean:
	rm -rf .venv data/scratch
