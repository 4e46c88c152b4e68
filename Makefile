# Thin: the plain commands behind each target are in README.md and CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
DEMO_ARGS ?=
BENCH_ARGS ?=
ATTACK_ARGS ?=
SOAK_ARGS ?=
CRASH_ARGS ?=
CONFORMANCE_ARGS ?=
DIFFERENTIAL_ARGS ?=

.PHONY: help demo verify test test-fast test-clients test-kubernetes test-kubernetes-node attack soak conformance differential upgrade crash lint bench bench-api bench-scheduler bench-scale docs accept clean
help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

demo: .venv/.demo  ## train, serve and share this machine's cores; writes demo-report.json
	$(BIN)/python examples/first_light/demo.py $(DEMO_ARGS)

verify: demo  ## the demo, the same job undisturbed, and two independent checkers of both
	$(BIN)/python tests/checkers/ledger.py .demo/history.jsonl
	$(BIN)/python examples/first_light/demo.py --undisturbed --home .demo/undisturbed/home $(DEMO_ARGS)
	$(BIN)/python examples/first_light/checker.py .demo/worker-logs .demo/undisturbed/worker-logs

test: .venv/.dev  ## all tests; ends with pytest's summary
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

test-fast: .venv/.dev  ## unit and contract tests without the slow ones: less than a minute
	$(BIN)/python -m pytest tests/unit tests/contract -m 'not slow' -n auto --dist loadfile

test-clients: .venv/.dev  ## unmodified clients against an instance, in an environment of their own; writes docs/clients.md
	$(BIN)/python tests/support/client_programs.py
	MIZZEN_CLIENTS_PAGE=docs/clients.md $(BIN)/python -m pytest tests/clients

test-kubernetes: .venv/.dev  ## tests beside a real Kubernetes, which Go builds first (minutes, once)
	$(BIN)/python tests/support/peers.py
	$(BIN)/python -m pytest tests/kubernetes

test-kubernetes-node: .venv/.dev  ## the image in real pods; MIZZEN_NODE_PEERS=DIR has kubelet and containerd
	$(BIN)/python -m pytest tests/kubernetes_node -rs

attack: .venv/.dev  ## hostile bodies, sockets, files, pods, neighbours against an instance, ten minutes; ATTACK_ARGS="--seed 2"
	$(BIN)/python tests/attack/run.py $(ATTACK_ARGS)

soak: .venv/.dev  ## half an hour of churn, kills, full disks, little memory; then what must hold; SOAK_ARGS="--minutes 5"
	$(BIN)/python tests/soak/run.py $(SOAK_ARGS)

conformance: .venv/.dev  ## Kubernetes' own conformance program against an instance; needs Go; writes docs/conformance.md
	$(BIN)/python tests/conformance/run.py --page docs/conformance.md $(CONFORMANCE_ARGS)

differential: .venv/.dev  ## random sequences of requests to Mizzen and kube-apiserver, compared; needs Go; DIFFERENTIAL_ARGS="--seed 2"
	$(BIN)/python tests/support/peers.py
	$(BIN)/python tests/differential/run.py $(DIFFERENTIAL_ARGS)

upgrade: .venv/.dev  ## the minor version before, from git's history, and this one on one home: up, emulation, rollback
	$(BIN)/python tests/upgrade/run.py

crash: .venv/.dev  ## a store cut, flipped, killed between system calls, on failing disks, against what was acknowledged; CRASH_ARGS="--minutes 30"
	$(BIN)/python tests/crash/run.py $(CRASH_ARGS)

lint: .venv/.dev  ## style, types, import rules, tidiness
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/tidy

bench: .venv/.dev  ## what is promised in numbers, measured here; BENCH_ARGS="--json FILE"
	$(BIN)/python bench/run.py $(BENCH_ARGS)

bench-api: .venv/.dev  ## the API server beside kube-apiserver and etcd: CPU, rates, latencies; writes docs/api-speed.md
	$(BIN)/python tests/support/peers.py
	$(BIN)/python bench/run.py --suite apiserver --page docs/api-speed.md $(BENCH_ARGS)

bench-scheduler: .venv/.dev  ## the scheduler at a million chips and beside kube-scheduler; writes docs/scheduler-speed.md
	$(BIN)/python tests/support/peers.py
	$(BIN)/python bench/run.py --suite scheduling --page docs/scheduler-speed.md $(BENCH_ARGS)

bench-scale: .venv/.dev  ## what an instance weighs beside 100,000 pods, and how soon it is ready; takes minutes
	$(BIN)/python bench/run.py --suite scale $(BENCH_ARGS)

docs: .venv/.dev  ## writes docs/cli.md, docs/api-reference.md and kinds/introduced.json anew from the code
	$(BIN)/python -m mizzen.cli.reference > docs/cli.md
	$(BIN)/python -m mizzen.kinds.reference > docs/api-reference.md
	$(BIN)/python scripts/record_version.py

accept: .venv/.dev  ## records the present output of tests/scenario; review the diff
	MIZZEN_ACCEPT=1 $(BIN)/python -m pytest tests/scenario

clean:  ## removes what the other targets made
	rm -rf .venv .clients build src/*.egg-info .pytest_cache .ruff_cache demo-report.json demo-timeline.png .demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/.demo
