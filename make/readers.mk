# The tools that read exports in tests, in an environment of their own; part of `make test-all`.
READERS := .venv-readers

.PHONY: readers
readers: $(READERS)/.installed ## install the tools that read exports, for their tests

$(READERS)/.installed: requirements/readers.txt
	$(BASE_PYTHON) -m venv $(READERS)
	$(BASE_PYTHON) make/install.py $(READERS) --require-hashes -r requirements/readers.txt
	touch $@
