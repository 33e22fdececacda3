# Random recipes and random faults; each run ends in the bytes of its twin without faults, a stale one in those of its replay.
MINUTES := 30
SEED := 0

.PHONY: chaos
chaos: $(TEST) ## random faults for 30 minutes; MINUTES=, SEED= for others
	$(PYTHON) -m tests.kernels
	$(PYTHON) -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(ARGS)
