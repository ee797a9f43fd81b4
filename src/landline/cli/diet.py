"""`landline diet`: what a client's first request costs, part by part, and which switches make it smaller."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from landline.cli.output import emit, notice, reports_errors, table
from landline.errors import LandlineError, SettingsError

if TYPE_CHECKING:
    from landline.clients.diet import Body, Diet, Variant
    from landline.clients.install import ClientProgram
    from landline.config.settings import Settings
    from landline.server.run import RunningGateway

CLIENTS = ("claude",)
AT_ONCE = 2  # starts of the client
HOW_TO_SET = """\
Names in capitals are CLAUDE_CODE_...: set them to 1, in the shell or in `env` of the client's settings. `deny X` is
permissions.deny there; MCP servers: --strict-mcp-config, or take them out of your settings.
`landline launch claude --lean` sets them all, but for SIMPLE, for one run."""
NO_MODEL = "local-model"  # any name that the client does not know


class _Counting(NamedTuple):
    """Who counts: a gateway over the backend, or None where bytes must do."""

    gateway: RunningGateway | None
    model: str
    window: int
    backend: str


@click.command(
    epilog="\b\nExamples:\n  landline diet claude\n  landline diet claude --backend http://127.0.0.1:8000\n"
    "  landline diet claude --own-settings --json | jq '.parts[:5]'\n\n"
    "\b\nWhat can be left out, and what is lost with it: docs/guides/launch.md"
)
@click.argument("client", type=click.Choice(CLIENTS))
@click.option("--backend", metavar="URL", help="Model server that counts the tokens.  [default: as configured]")
@click.option("--model", metavar="NAME", help="Served model to ask for.  [default: the first served]")
@click.option(
    "--own-settings",
    is_flag=True,
    help="In this folder, with your own settings, instructions and MCP servers; the client keeps its notes of it.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@reports_errors
def diet(*, client: str, backend: str | None, model: str | None, own_settings: bool, as_json: bool) -> None:
    """Show which tools and texts cost most tokens of a client's first request, and which switch drops each.

    Starts the installed client some times, pointed at a port of landline's that refuses it: no model is asked. Tokens
    are counted by the model server where it can, else estimated from bytes.
    """
    import asyncio
    import os

    import msgspec

    from landline.clients.install import default_cache, find_client
    from landline.clients.known import CLAUDE
    from landline.config.sources import load_settings

    assert client in CLIENTS
    flags = {"backend.url": backend, "models.default": model, "gateway.host": "127.0.0.1", "gateway.workers": 1}
    settings = load_settings(flags=flags, environ=os.environ, cwd=Path.cwd()).settings
    program = find_client(CLAUDE, default_cache())
    if program is None:
        raise SettingsError(
            "Claude Code was not found.", hint="Put it on PATH, or `landline launch claude --yes` installs a copy."
        )
    report = asyncio.run(_run(program, settings, own_settings=own_settings, must_count=backend is not None))
    if as_json:
        emit(msgspec.to_builtins(report), as_json=True)
    else:
        click.echo("\n".join(_lines(report)))


async def _run(program: ClientProgram, settings: Settings, *, own_settings: bool, must_count: bool) -> Diet:
    import asyncio

    from landline.clients.diet import AS_IT_COMES, VARIANTS, diet, estimated, parts_of

    async with _counting(settings, must_count=must_count) as counting:
        gate = asyncio.Semaphore(AT_ONCE)
        progress = notice if sys.stderr.isatty() else len
        ways = (AS_IT_COMES, *VARIANTS)

        async def tried(variant: Variant) -> Body:
            async with gate:
                progress(f"starting Claude Code {program.version}: {variant.name}")
                return await asyncio.to_thread(_request, program, variant, counting, own_settings)

        bodies = dict(zip([way.name for way in ways], await asyncio.gather(*map(tried, ways)), strict=True))
        wanted = [*bodies.values(), *(without() for without in parts_of(bodies[AS_IT_COMES.name]).values())]
        exact = await _exact(wanted, counting)
    about = {"client": "claude", "version": program.version, "model": counting.model, "backend": counting.backend}

    def counted(body: Body) -> int:
        return exact[_key(body)] if exact else estimated(body)

    return diet(bodies=bodies, counted=counted, exact=bool(exact), about=about, variants=VARIANTS)


def _request(program: ClientProgram, variant: Variant, counting: _Counting, own_settings: bool) -> Body:
    """The client's first request, started as `launch` starts it and with what the variant sets. Blocking."""
    import os
    import tempfile

    from landline.clients.claude_launch import ClaudeCode
    from landline.clients.claude_lean import denying
    from landline.clients.first_request import first_request
    from landline.clients.launching import Request, Target

    with tempfile.TemporaryDirectory(prefix="landline-") as name:
        folder = Path(name)
        project = Path.cwd() if own_settings else folder / "project"
        project.mkdir(exist_ok=True)
        home = Path(os.environ.get("HOME") or Path.home()) if own_settings else folder
        environ = dict(os.environ) if own_settings else _bare(folder)

        def command(url: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
            extra = {"env": variant.env} | (denying(variant.denied) if variant.denied else {})
            args = ("-p", "say hi", "--settings", json.dumps(extra))
            request = Request(args=args, environ=environ, home=home, cwd=project, folder=folder)
            target = Target(base_url=url, token="landline", model=counting.model, window=counting.window)  # noqa: S106
            launch = ClaudeCode().prepare(target, program, request)
            return launch.argv, launch.env | variant.env

        return first_request(command, cwd=project)


def _bare(folder: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing; what the client asks beside the model meets a closed port."""
    import os

    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY"), "http://127.0.0.1:9")
    folders = dict.fromkeys(("HOME", "TMPDIR", "CLAUDE_CODE_TMPDIR"), str(folder))
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"} | folders | nowhere


@asynccontextmanager
async def _counting(settings: Settings, *, must_count: bool) -> AsyncGenerator[_Counting]:
    """A gateway over the model server, if one answers. Raises LandlineError where one was named and does not."""
    from landline.server.live import without_credentials
    from landline.server.readiness import wait_until_ready
    from landline.server.run import running_gateway

    async with running_gateway(settings) as gateway:
        try:
            await wait_until_ready(gateway.line, wait_s=None if must_count else 0, tell=lambda waited_s, problem: None)
        except LandlineError:
            if must_count:
                raise
            yield _Counting(None, settings.models.default or NO_MODEL, 0, "")
            return
        yield _Counting(gateway, gateway.model, gateway.window, without_credentials(gateway.line.backend.url))


async def _exact(bodies: Sequence[Body], counting: _Counting) -> dict[str, int]:
    """Tokens of each request by the backend's own tokenizer; empty where it does not count."""
    if counting.gateway is None:
        return {}
    client, counts = counting.gateway.line.client, dict[str, int]()
    url = f"{counting.gateway.url}/v1/messages/count_tokens"
    headers = {"authorization": f"Bearer {counting.gateway.token}"}
    for body in bodies:
        async with await client.post(url, json.dumps(body).encode(), headers) as answer:
            told = json.loads(await answer.body())
            if answer.status != 200 or answer.headers.get("landline-token-count") != "exact":
                return {}
            counts[_key(body)] = told["input_tokens"]
    return counts


def _names(switches: Sequence[str]) -> str:
    """Without what all of them begin with."""
    return ", ".join(name.removeprefix("CLAUDE_CODE_") for name in switches) or "-"


def _key(body: Body) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def _lines(report: Diet) -> list[str]:
    """For eyes: the parts, heaviest first, then what each switch saves."""
    from landline.config.display import printable

    by = (
        f"counted by {report.backend}" if report.counted == "exact" else "estimated from bytes: no model server counted"
    )
    lines = [
        f"Claude Code {report.version}: its first request has {report.tokens:,} tokens ({by}), {report.bytes:,} bytes;",
        f"with --lean {report.lean_tokens:,}.",
        "",
    ]
    rows = [
        {
            "part": printable(part.name),
            "tokens": f"{part.tokens:,}",
            "dropped by": _names(part.dropped_by),
            "smaller with": _names(part.smaller_with),
        }
        for part in report.parts
    ]
    switches = [
        {"switch": _names([switch.name]), "saves": f"{switch.saves:,}", "leaves": f"{switch.tokens:,}"}
        for switch in sorted(report.switches, key=lambda switch: -switch.saves)
    ]
    grown = [part for part in report.parts if part.larger_with]
    grows = [f"{printable(part.name)} grows with {_names(part.larger_with)}" for part in grown]
    return [*lines, table(rows), "", table(switches), "", *grows, HOW_TO_SET]
