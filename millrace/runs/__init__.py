"""The custody of a run's folder: who owns it, where its checkpoints, metrics and incidents lie."""
