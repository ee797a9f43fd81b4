"""What the verbs print: a table or JSON on standard output, errors in a line or two on standard error.

Every verb prints through here. Knows nothing of settings, servers or clients.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, ParamSpec, TypeVar

import click

from landline.errors import LandlineError

# The same as click's own for a wrong option: the program was not started as it must be.
EXIT_USAGE = 2

P = ParamSpec("P")
R = TypeVar("R")


def emit(data: object, *, as_json: bool, rows: Sequence[Mapping[str, object]] | None = None) -> None:
    """Print `data` as JSON, or `rows` as a table for people (`data` itself where no rows are given)."""
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif rows is None:
        click.echo(str(data))
    else:
        click.echo(table(rows))


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as aligned columns under their names. Nothing is cut; the caller escapes the text."""
    if not rows:
        return ""
    cells = [[str(name) for name in rows[0]], *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def notice(text: str) -> None:
    """One line for the user that is not part of the output."""
    click.echo(f"landline: {_one_line(text)}", err=True)


def fail(error: LandlineError) -> NoReturn:
    """End the program: what is wrong on one line, what to do on the next, exit code 2."""
    click.echo(f"landline: {_one_line(error.message)}", err=True)
    if error.hint:
        click.echo(f"  {_one_line(error.hint)}", err=True)
    sys.exit(EXIT_USAGE)


def reports_errors(verb: Callable[P, R]) -> Callable[P, R]:
    """Put directly above a verb's function, under its options: LandlineError becomes `fail`."""

    @functools.wraps(verb)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except LandlineError as error:
            fail(error)

    return reporting


def _one_line(text: str) -> str:
    return " ".join(text.split())
