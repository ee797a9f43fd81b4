"""The `landline` command: names the verbs and imports one only when it is called, so that `--help` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from landline import __version__

# verb: (module that defines it under the same name, one line of help)
VERBS = {
    "demo": "Start a small local model, the gateway and the real Claude Code on it.",
    "serve": "Run the gateway.",
    "launch": "Run a client on a model that you serve.",
    "clients": "List the clients that are installed, and where each points.",
    "plan": "Say whether a model fits on a card, and print the line that serves it.",
    "models": "Show what is served, which family each model is of, and why.",
    "check": "Tell whether a served model is good enough for an agent.",
    "doctor": "Find what is wrong in a client's setup, and mend it.",
    "diet": "Show what a client's first request costs, and what makes it smaller.",
    "settings": "Point a client at a gateway for good, and put its files back.",
    "report": "Print what a bug report needs, without bodies and keys.",
    "store": "Show or clear what is kept between requests.",
    "watch": "Show what a running gateway does now.",
    "statusline": "Print one line on the model server for a client's own screen.",
    "config": "Show the settings in force and where each came from.",
    "trust": "Let this project's landline.toml set backend, keys and address.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        return getattr(import_module(f"landline.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  landline demo\n  landline serve --backend http://127.0.0.1:8000\n"
    "  landline launch claude --backend http://127.0.0.1:8000",
)
@click.version_option(__version__, prog_name="landline")
def cli() -> None:
    """Run Claude Code and other agentic clients on a model that you serve yourself."""


def main(**kwargs: Any) -> Any:
    """Entry point of the console script."""
    return cli(**kwargs)
