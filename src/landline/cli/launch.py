"""`landline launch`: one gateway, one client on it, both gone afterwards. No file of the user's is written.

Knows no client by heart: each is a row of `clients/known.py` and a module that it names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landline.cli.output import notice, reports_errors
from landline.clients.known import CLIENTS, KnownClient
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.cli.launch_egress import EgressOptions
    from landline.clients.egress.line import Plan
    from landline.clients.install import ClientProgram
    from landline.clients.launching import Client, Launch, Request, Target, Wishes
    from landline.config.settings import Settings
    from landline.config.sources import LoadedSettings

EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """As they were typed."""

    backend: str | None
    embedded: bool
    gateway: str | None
    model: str | None
    port: int | None
    wait: float | None
    lean: bool
    status_line: bool
    replace_status_line: bool
    local_titles: bool
    receipt: bool
    assume_yes: bool
    egress: str | None
    egress_allow: tuple[str, ...]
    egress_report: str | None

    def check(self) -> None:
        """Raises SettingsError for options that do not go together."""
        named = (("--backend", self.backend), ("--embedded", self.embedded), ("--gateway", self.gateway))
        given = [name for name, on in named if on]
        if len(given) > 1:
            raise SettingsError(f"{' and '.join(given)} do not go together.", hint="Give one of them.")
        own = (("--port", self.port), ("--wait", self.wait), ("--local-titles", self.local_titles or None))
        for name, value in own:
            if self.gateway is not None and value is not None:
                raise SettingsError(f"{name} is for a gateway of launch's own.", hint="Leave it out with --gateway.")

    @property
    def wishes(self) -> Wishes:
        from landline.clients.launching import Wishes

        return Wishes(lean=self.lean, status_line=self.status_line, replace_status_line=self.replace_status_line)

    @property
    def network(self) -> EgressOptions:
        from landline.cli.launch_egress import EgressOptions

        return EgressOptions(mode=self.egress, allow=self.egress_allow, report=self.egress_report)


@click.command(
    epilog="\b\nExamples:\n"
    "  landline launch claude\n"
    "  landline launch claude --backend http://gpu-box:8000/v1 --model Qwen3.5-27B -- --continue\n"
    "  landline launch claude --backend http://127.0.0.1:8000 --wait 600\n"
    "  landline launch claude --gateway http://127.0.0.1:4000 -- -p 'list the tests'\n"
    "  landline launch claude --egress lock\n"
    "  CLAUDE_CODE_SIMPLE=1 landline launch claude --embedded -- -p 'say hi'\n\n"
    "\b\nMore: docs/guides/launch.md, docs/guides/egress.md; what is set: docs/reference/claude-code-settings.md"
)
@click.argument("client", type=click.Choice(sorted(CLIENTS)))
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@click.option("--backend", metavar="URL", help="Model server, with or without /v1.  [default: the one that runs here]")
@click.option("--embedded", is_flag=True, help="Use the small model that runs inside landline.")
@click.option("--gateway", metavar="URL", help="Use a gateway that runs already; its key: LANDLINE_GATEWAY_KEYS.")
@click.option("--model", metavar="NAME", help="Served model to use.  [default: the first served]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the gateway.  [default: a free one]")
@click.option(
    "--wait",
    type=click.FloatRange(0, 86_400),
    metavar="SECONDS",
    help="Wait so long for a backend that does not answer yet.  [default: only while it says that it loads]",
)
@click.option("--lean", is_flag=True, help="For small windows: leave out what the client can do without.")
@click.option("--status-line", is_flag=True, help="Show model, window, cache hits and speed on the client's screen.")
@click.option("--replace-status-line", is_flag=True, help="The same, also in place of a status line of your own.")
@click.option("--local-titles", is_flag=True, help="Name conversations by the first words, without asking the model.")
@click.option("--receipt", is_flag=True, help="Print what was set, and the sums at the end, also without a screen.")
@click.option(
    "--egress",
    type=click.Choice(["open", "audit", "proxy-only", "lock"]),
    help="What the client may connect to beside the gateway.  [default: audit, a line at the end]",
)
@click.option(
    "--egress-allow", multiple=True, metavar="HOST", help="Let it through, in proxy-only and lock; may repeat."
)
@click.option("--egress-report", metavar="FILE", help="Write what was tried into a new JSON file.")
@click.option("--yes", "assume_yes", is_flag=True, help="Install the client without asking where it is missing.")
@reports_errors
def launch(*, client: str, args: tuple[str, ...], **given: Any) -> None:
    """Run a client on a model that you serve.

    Starts a gateway on loopback, points the client at it for this one process, and stops both at the end. Your own
    settings and permission mode stay as they are. Everything after -- goes to the client; its exit code is returned.
    """
    import asyncio

    options = _Options(**given)
    options.check()
    try:
        code = asyncio.run(_run(CLIENTS[client], args, _settings(options), options))
    except KeyboardInterrupt:  # the client has its own way with Ctrl-C: nothing was started yet
        notice("stopped")
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _settings(options: _Options) -> Settings:
    """The settings in force, with a backend that was looked for where none is named. Raises SettingsError."""
    import os

    import msgspec

    from landline.cli.local_backend import local_backend
    from landline.config.sources import load_settings

    # On loopback and alone, whatever the settings say about the gateway that `landline serve` runs.
    flags = {"backend.url": options.backend, "models.default": options.model, "gateway.port": options.port or 0}
    flags |= {"gateway.host": "127.0.0.1", "gateway.workers": 1, "models.local_titles": options.local_titles or None}
    loaded = load_settings(flags=flags, environ=os.environ, cwd=Path.cwd())
    for text in loaded.notices:
        notice(text)
    settings = loaded.settings
    if options.embedded or options.gateway or _is_named(loaded):
        return settings
    found = msgspec.structs.replace(settings.backend, url=local_backend(wait_s=options.wait or 0))
    return msgspec.structs.replace(settings, backend=found)


def _is_named(loaded: LoadedSettings) -> bool:
    """Whether somebody said where the backend is. Its key is for one server: with a key, none is looked for."""
    own = loaded.settings.backend
    return loaded.origins["backend.url"].source != "default" or bool(own.key or own.replicas)


async def _run(known: KnownClient, args: Sequence[str], settings: Settings, options: _Options) -> int:
    import os
    import tempfile

    from landline.cli.launch_egress import check_egress, egress_plan
    from landline.cli.launch_gateway import opened_gateway, provisional
    from landline.clients.launching import Request

    client = _launcher(known)
    program = await _program(known, assume_yes=options.assume_yes)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and client.is_interactive(args)
    with tempfile.TemporaryDirectory(prefix="landline-") as folder:
        environ = dict(os.environ)
        home = Path(environ.get("HOME") or Path.home())
        request = Request(
            args=args, environ=environ, home=home, cwd=Path.cwd(), folder=Path(folder), wishes=options.wishes
        )
        target = provisional(settings, options.gateway)
        client.check(target, program, request)
        plan = egress_plan(known, settings, options.network, request)
        check_egress(plan, target, program, request, options.network)
        opened = opened_gateway(settings, gateway=options.gateway, embedded=options.embedded, wait_s=options.wait)
        async with opened as (target, tally):
            start = _Start(known, client, program, target, plan, interactive=interactive)
            prepared, code = await start.run(request, options)
        if tally is not None and (options.receipt or interactive):
            notice(tally.text())
        if interactive and prepared.afterwards:
            notice(prepared.afterwards)
        return code


@dataclass(frozen=True, slots=True)
class _Start:
    """Everything that the client needs is there."""

    known: KnownClient
    client: Client
    program: ClientProgram
    target: Target
    plan: Plan
    interactive: bool

    async def run(self, request: Request, options: _Options) -> tuple[Launch, int]:
        from landline.cli.launch_egress import egress_lines, telling_of, watched

        telling = telling_of(options.network, whole=options.receipt, interactive=self.interactive)
        async with watched(self.plan, self.target, self.program, request, telling) as (line, request):
            prepared = self.client.prepare(self.target, self.program, request)
            if options.receipt or sys.stderr.isatty():
                _print_receipt(self.known.title, self.program, prepared, egress_lines(self.plan, request, telling))
            env = {**prepared.env, **line.forced}
            return prepared, await line.run(prepared.argv, env, cwd=request.cwd, home=request.home)


def _launcher(known: KnownClient) -> Client:
    from importlib import import_module

    module, _, name = known.launcher.partition(":")
    return getattr(import_module(module), name)()


async def _program(known: KnownClient, *, assume_yes: bool) -> ClientProgram:
    """The client's executable: found, or installed into landline's own cache after asking."""
    import asyncio
    from functools import partial

    from landline.clients import install

    cache = install.default_cache()
    found: ClientProgram | None = await asyncio.to_thread(install.find_client, known, cache)
    if found is not None:
        return found
    question = f"{known.title} was not found. Install it from npm into {cache} ({known.space // 2_000_000} MB)?"
    if not assume_yes and not (sys.stdin.isatty() and click.confirm(question, default=True, err=True)):
        raise SettingsError(
            f"{known.title} was not found.",
            hint=f"Install it so that it is on PATH (`npm install -g {known.package}`), or add --yes to have landline "
            "install a copy of its own.",
        )
    return await asyncio.to_thread(partial(install.install_client, known, cache, report=notice))


def _print_receipt(title: str, program: ClientProgram, prepared: Launch, network: tuple[tuple[str, str], ...]) -> None:
    notice(f"{title} {program.version} ({program.path})")
    width = max(len(label) for label, _ in (*prepared.receipt, *network))
    for label, text in (*prepared.receipt, *network):
        click.echo(f"  {label:<{width}}  {text}", err=True)
