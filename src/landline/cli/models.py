"""`landline models`: what a backend serves, the family that each model was taken for, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import emit, notice, reports_errors, table
from landline.errors import ErrorKind, LandlineError, SettingsError

if TYPE_CHECKING:
    from landline.clients.live_gateway import LiveBackend
    from landline.config.settings import Settings
    from landline.server.model_facts import ModelFacts

_NOTHING = "-"


@click.command(
    epilog="\b\nExamples:\n  landline models\n  landline models --backend http://gpu-box:8000\n"
    "  landline models --gateway http://127.0.0.1:4000\n"
    "  landline models --json | jq '.backends[].models[] | {id, family, tool_parser}'\n\n"
    "\b\nHow a family is found, and a file of your own: docs/models.md"
)
@click.option("--backend", metavar="URL", help="Model server, with or without /v1.  [default: that of the settings]")
@click.option("--gateway", metavar="URL", help="Ask a running gateway instead; its key: LANDLINE_GATEWAY_KEYS.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@reports_errors
def models(*, backend: str | None, gateway: str | None, as_json: bool) -> None:
    """What is served, which family each model is of, and why.

    Prints the window, vLLM's parsers for the family, the sampling that is sent where a client sends none and whose
    advice it is, what the chat template wants, and what is wrong with the server as it was started.
    """
    import os

    import msgspec

    from landline.config.sources import load_settings

    if backend is not None and gateway is not None:
        raise SettingsError("--backend and --gateway do not go together.", hint="Give one of them.")
    loaded = load_settings(flags={"backend.url": backend}, environ=os.environ, cwd=Path.cwd())
    for text in loaded.notices:
        notice(text)
    settings = loaded.settings
    found = _of_backends(settings) if gateway is None else _of_gateway(gateway, settings)
    if not any(one.reachable for one in found):
        raise _nobody(found)
    if as_json:
        emit({"backends": msgspec.to_builtins(found)}, as_json=True)
        return
    click.echo("\n\n".join(_shown(one) for one in found))


def _of_backends(settings: Settings) -> list[LiveBackend]:
    """Asked from here, as a gateway with these settings would."""
    import asyncio

    import msgspec

    from landline.clients.live_gateway import LiveBackend
    from landline.server.line import known_backends
    from landline.server.live import backend_shown
    from landline.upstream.client import UpstreamClient
    from landline.upstream.probe import probe

    async def ask() -> list[LiveBackend]:
        backends = known_backends(settings)
        own = settings.backend
        client = UpstreamClient(connect_timeout_s=own.connect_timeout_s, idle_timeout_s=own.idle_timeout_s)
        try:
            await asyncio.gather(*(probe(one, client) for one in backends))
        finally:
            client.close()
        return [msgspec.convert(backend_shown(one, settings.sampling), LiveBackend) for one in backends]

    return asyncio.run(ask())


def _of_gateway(url: str, settings: Settings) -> list[LiveBackend]:
    from landline.clients.live_gateway import live_answer, read_snapshot
    from landline.clients.remote_gateway import gateway_base

    base_url = gateway_base(url)
    key = settings.gateway.keys[0] if settings.gateway.keys else ""
    return read_snapshot(live_answer(base_url, key=key), base_url).backends


def _nobody(found: list[LiveBackend]) -> LandlineError:
    from landline.config.display import printable

    problems = " ".join(printable(one.problem) for one in found if one.problem)
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        problems or "There is no backend: start the model server, or name one with --backend URL.",
    )


def _shown(backend: LiveBackend) -> str:
    """A head, a table of the models, and a line for all that does not fit into one."""
    from landline.config.display import printable

    head = " ".join(filter(None, (backend.url, backend.kind, backend.version)))
    if not backend.reachable:
        return printable(f"{head}: {backend.problem}")
    lines = [printable(head), *(f"  ! {printable(text)}" for text in backend.findings)]
    if backend.models:
        lines += ["", table([_row(model) for model in backend.models])]
    for model in backend.models:
        lines += ["", printable(model.id), *(f"  {printable(text)}" for text in _words(model))]
    return "\n".join(lines)


def _row(model: ModelFacts) -> dict[str, str]:
    from landline.config.display import printable

    cells = {
        "model": model.id,
        "window": f"{model.window:,}" if model.window else "",
        "family": model.family,
        "found by": model.found_by,
        "tool parser": model.tool_parser,
        "reasoning parser": model.reasoning_parser,
        "sampling": " ".join(f"{name}={value:g}" for name, value in model.sampling.items()),
    }
    return {name: printable(text) or _NOTHING for name, text in cells.items()}


def _words(model: ModelFacts) -> list[str]:
    lines: list[str] = []
    if model.family:
        whose = "a row of your own file" if model.overlay else "landline's table"
        fits = f"{model.pattern} fits" + (f" {model.found_in}" if model.found_in else " what the server told")
        lines.append(f"family {model.family} by its {model.found_by}: {fits} ({whose})")
    if model.tool_parser or model.reasoning_parser:
        lines.append(f"for vLLM: {_flags(model)}")
    lines.append(f"sampling: {model.sampling_from}")
    return [*lines, *model.quirks, *(f"! {text}" for text in model.findings)]


def _flags(model: ModelFacts) -> str:
    parts = [f"--enable-auto-tool-choice --tool-call-parser {model.tool_parser}"] if model.tool_parser else []
    parts += [f"--reasoning-parser {model.reasoning_parser}"] if model.reasoning_parser else []
    return " ".join(parts) + (f" (from version {model.min_version})" if model.min_version else "")
