"""How Codex is started: reads the user's config.toml, asks the client for its own prompt, builds the command.

What is set and why is in codex.py. His CODEX_HOME stays: login, history, skills, rules and MCP servers are his.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landline.clients import codex, openai_launch
from landline.clients.first_request import first_request
from landline.clients.install import ClientProgram
from landline.clients.launching import Launch, Request, Target, write_private
from landline.errors import LandlineError, SettingsError

_BY = "-c arguments and the environment"
_NO_ENTRY = (
    "what it tells a model could not be read, so it warns that it has no metadata for this one; that is harmless"
)
_ASKED_MODEL = "landline-asks"
# Else it asks six times in seven seconds (0.169.0), whatever it is refused with.
_ONCE = {f"model_providers.{openai_launch.PROVIDER}.{name}_max_retries": 0 for name in ("request", "stream")}


@dataclass(frozen=True, slots=True)
class Codex:
    def check(self, target: Target, program: ClientProgram, request: Request) -> None:
        request.wishes.refuse("Codex")
        read_config(config_file(request.home, request.environ))

    def prepare(self, target: Target, program: ClientProgram, request: Request) -> Launch:
        config = read_config(config_file(request.home, request.environ))
        told = own_instructions(program, request)
        file = request.folder / "codex-models.json"
        if told:
            write_private(file, json.dumps(codex.catalogue(target, told)))
        chosen = codex.overrides(target, config, catalogue_file=str(file) if told else "")
        receipt = openai_launch.receipt(
            target,
            window=_window(chosen),
            by=_BY,
            off=codex.OFF if codex.has_plugins(config) else codex.OFF_PLUGINS,
            left=codex.LEFT_PLUGINS if codex.has_plugins(config) else codex.LEFT,
            set_aside=codex.set_aside(config, target),
            first_request=codex.FIRST_REQUEST,
        )
        if not told:
            receipt += (("note", _NO_ENTRY),)
        return Launch(
            argv=(*program.command, *codex.arguments(chosen), *request.args),
            env=openai_launch.environment(request.environ, target),
            receipt=receipt,
            afterwards="to go on later: `landline launch codex -- resume`",
        )

    def is_interactive(self, args: tuple[str, ...] | list[str]) -> bool:
        return codex.is_interactive(args)


def config_file(home: Path, environ: Mapping[str, str]) -> Path:
    moved = environ.get("CODEX_HOME")
    return (Path(moved) if moved else home / ".codex") / "config.toml"


def read_config(file: Path) -> dict[str, object]:
    """The user's own configuration, empty where there is none. Raises SettingsError: the client refuses it too."""
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.", hint="Correct that by hand.") from None
    except ValueError as error:  # tomllib's message has a place and no text of the file
        raise SettingsError(
            f"{file} is not TOML ({error}).", hint="Correct it; Codex does not start with it."
        ) from None


def own_instructions(program: ClientProgram, request: Request) -> str:
    """What this version tells a model that it does not know, out of its own first request; empty where none came.

    It runs over a home of its own, pointed at a port of ours that refuses it (0.3 s). A request of it takes no entry
    of the catalogue without this text, and no other text is the client's own.
    """
    home = request.folder / "codex-asked"
    home.mkdir()

    def command(url: str) -> tuple[tuple[str, ...], dict[str, str]]:
        asked = Target(base_url=url, token=_ASKED_MODEL, model=_ASKED_MODEL)
        settings = codex.arguments(codex.overrides(asked, {}) | _ONCE)
        argv = (*program.command, *settings, "exec", "--skip-git-repo-check", "--ephemeral", "hello")
        kept = {name: request.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in request.environ}
        own = {"HOME": str(home), "CODEX_HOME": str(home), "HTTPS_PROXY": url, "HTTP_PROXY": url}
        return argv, openai_launch.environment(kept | own, asked)

    try:
        return codex.instructions_of(first_request(command, cwd=home))
    except LandlineError:
        return ""


def _window(chosen: Mapping[str, object]) -> str:
    window, point = (chosen.get(name, 0) for name in ("model_context_window", "model_auto_compact_token_limit"))
    assert isinstance(window, int)
    assert isinstance(point, int)
    return openai_launch.window_in_words(window, point=point)
