"""The version of Millrace, as `--version` and exports show it; a test holds pyproject.toml to it."""

__version__ = "0.1.0"
