"""The command line. Nothing here needs torch before a command does, so that `--help` is quick."""

from crossloom.cli.app import main

__all__ = ["main"]
