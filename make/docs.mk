# The pages of docs/ as a site, in an environment of its own; part of `make test-all`. Once that is installed, neither
# building the site nor reading it needs the network.
DOCS := .venv-docs

.PHONY: docs
docs: $(DOCS)/.installed ## the pages of docs/ as a site, in build/docs
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --config-file make/mkdocs.yml --strict
	@echo "open build/docs/index.html"

$(DOCS)/.installed: requirements/docs.txt
	$(BASE_PYTHON) -m venv --clear $(DOCS)
	$(BASE_PYTHON) make/install.py $(DOCS) --require-hashes -r requirements/docs.txt
	touch $@

test-all: $(DOCS)/.installed
