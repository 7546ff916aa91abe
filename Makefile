# Every target does all its own set-up and is quick when there is nothing to do.

PYTHON := .venv/bin/python
STAGE := $(PYTHON) -m haman.lab.checks
export PYTHONWARNINGS := default

help:
	@echo 'make lab      a cluster on a kernel with IPVS, and its failover drills: haman lab failover'
	@echo 'make test     all tests: style, types, layers, unit, kernel'
	@echo 'make style    ruff: rules and format'
	@echo 'make types    mypy --strict'
	@echo 'make layers   the import rules between the packages'
	@echo 'make unit     tests that need nothing but Python'
	@echo 'make kernel   tests inside the laboratory, on a kernel with IPVS'
	@echo 'make drills   every drill of make lab as a test, then each with its faults planted (half an hour, quiet machine)'
	@echo 'make clean    remove what make made here (built kernels stay: ~/.cache/haman/kernels)'
	@echo
	@echo 'Root is asked for only to install Debian packages that are missing (haman/lab/packages.txt).'

.venv/ready: pyproject.toml .ci/venv
	@.ci/venv

lab: .venv/ready
	@$(PYTHON) -m haman.lab prepare
	@.venv/bin/haman lab failover $(ARGS)

test: .venv/ready
	@$(STAGE)

style types layers unit kernel drills: .venv/ready
	@$(STAGE) $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find haman tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help lab test style types layers unit kernel drills clean
