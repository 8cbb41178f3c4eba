"""Codes, labels and ids of a database in one file."""
