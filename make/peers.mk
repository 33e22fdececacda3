# The frameworks that the library is used from (PyTorch, JAX, Keras …), in an environment of their own; part of `make test-all`.
# Pinned without hashes: PyTorch comes as other files for other machines.
PEERS := .venv-peers

.PHONY: peers
peers: $(PEERS)/.installed ## install PyTorch, JAX and Keras, for the tests of examples/

$(PEERS)/.installed: requirements/peers.txt pyproject.toml
	$(BASE_PYTHON) -m venv $(PEERS)
	$(BASE_PYTHON) make/install.py $(PEERS) torch==2.13.0
	$(BASE_PYTHON) make/install.py $(PEERS) -r requirements/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
