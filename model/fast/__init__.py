"""The fast path: what `model.network` says in plain NumPy, as fused kernels in memory of their own; the same bits."""
