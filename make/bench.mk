# The benchmarks, in an environment of their own with all that they compare with. Where a peer cannot be installed, the others are,
# one by one, and the table says that it is missing.
BENCH := .venv-bench

.PHONY: bench
bench: $(BENCH)/.installed ## the benchmarks against peers, into benchmarks/; ONLY=warp,stream for some
	$(BENCH)/bin/python -m benchmarks.run $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: bench-quick
bench-quick: $(TEST) ## whether the benchmarks run, without peers; its figures mean nothing
	$(PYTHON) -m benchmarks.run --quick --out build/bench-quick

$(BENCH)/.installed: requirements/bench-peers.txt pyproject.toml | $(BASE)
	$(BASE_PYTHON) -m venv --clear $(BENCH)
	$(BASE_PYTHON) make/install.py $(BENCH) -r requirements/bench-peers.txt || grep -v '^#' requirements/bench-peers.txt | \
		while read -r peer; do $(BASE_PYTHON) make/install.py $(BENCH) "$$peer" || echo "without $$peer" >&2; done
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BENCH)/bin/python -m compileall -q -j 0 $(BENCH)/lib >/dev/null || true  # uv does not: no contender's start compiles anything
	touch $@
