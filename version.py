"""The version of Millrace, said once: `--version`, exports and the installed package read it here."""

__version__ = "0.1.0"
