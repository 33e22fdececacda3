"""The configuration of a run: its layers and its YAML."""
