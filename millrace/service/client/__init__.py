"""The client of the service. It needs NumPy and pyarrow alone: see docs/service.md."""
