# Every target does all its own set-up and is quick when there is nothing to do.

PYTHON := .venv/bin/python
STAGE := $(PYTHON) -m haman.lab.checks
export PYTHONWARNINGS := default

help:
	@echo 'make lab      a cluster on a kernel with IPVS, and its failover drills: haman lab failover'
	@echo 'make test     the tests of every change: style, types, layers, unit, kernel, drills (three quarters of an hour)'
	@echo 'make style    ruff: rules and format'
	@echo 'make types    mypy --strict'
	@echo 'make layers   the import rules between the packages'
	@echo 'make unit     tests that need nothing but Python'
	@echo 'make soak     simulated failovers for ten minutes on all processors (SECONDS=3600 for an hour)'
	@echo 'make kernel   tests inside the laboratory, on a kernel with IPVS'
	@echo 'make fuzz     ten minutes of broken packets for every parser of what comes from outside (ARGS="--seconds 3600")'
	@echo 'make drills   the drills of every change, then two faults planted that must turn one red (eight minutes)'
	@echo 'make rest     all other drills, and every fault in every drill and story that must notice it (an hour and a half)'
	@echo 'make release  make test, and then make rest'
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

release: .venv/ready
	@$(STAGE) style types layers unit kernel drills rest

style types layers unit kernel drills rest: .venv/ready
	@$(STAGE) $@

fuzz: .venv/ready
	@$(PYTHON) -m tests.fuzz $(ARGS)

soak: .venv/ready
	@.venv/bin/haman simulate --for $(or $(SECONDS),600) --jobs $$(nproc) --keep-going

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find haman tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help lab test style types layers unit kernel drills rest release fuzz soak clean
