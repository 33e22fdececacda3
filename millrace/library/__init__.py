"""Runs and networks, from code."""
