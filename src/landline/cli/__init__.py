"""The command line: one file per verb, imported only when that verb runs."""

from landline.cli.main import main

__all__ = ["main"]
