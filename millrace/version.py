"""The version of Millrace, as `--version` and exports tell it; a test holds pyproject.toml to it."""

__version__ = "0.1.0"
