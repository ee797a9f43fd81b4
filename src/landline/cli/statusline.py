"""`landline statusline`: what a client's status line shows of the model server. Never fails, and is quick."""

from __future__ import annotations

import contextlib
import os
import sys

import click


@click.command(
    epilog="\b\nExamples:\n  landline launch claude --status-line\n  landline settings write claude --status-line\n"
    "  echo '{}' | ANTHROPIC_BASE_URL=http://127.0.0.1:4000 landline statusline"
)
@click.option(
    "--gateway", metavar="URL", default="", help="The gateway.  [default: ANTHROPIC_BASE_URL, if it is local]"
)
def statusline(*, gateway: str) -> None:
    """Print one line about the served model: window used, cache hits, speed.

    The client runs this and writes its session to standard input. Without a gateway that answers nothing is printed.
    """
    from landline.clients.status_line import LARGEST_INPUT, asked, gateway_of, session_of, status_line

    told = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(LARGEST_INPUT)
    base_url = gateway or gateway_of(os.environ)
    if not base_url:
        return
    line = status_line(asked(base_url, key=os.environ.get("ANTHROPIC_AUTH_TOKEN", "")), session_of(told))
    with contextlib.suppress(OSError):  # nobody reads any more
        os.write(sys.stdout.fileno(), f"{line}\n".encode("utf-8", "replace") if line else b"")
