"""The command line: thin verbs over the library."""

from hashprobe.cli.main import main

__all__ = ["main"]
