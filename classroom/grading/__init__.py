"""Grading: each submission in a sandbox, against the reference."""
