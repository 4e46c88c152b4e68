"""Generators, a file for each part of the API: `sequence(draws)` returns steps."""
