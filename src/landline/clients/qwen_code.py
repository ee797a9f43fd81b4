"""Qwen Code: what it must be told to work on a gateway of ours, and how it is started. Measured on 0.15.10.

A system settings file beats the user's and the project's; QWEN_CODE_SYSTEM_SETTINGS_PATH names it. Ours has the
machine's own under it. A model of `modelProviders` beats the variables of the environment, arguments too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from landline.clients import openai_launch
from landline.clients.claude_code import is_loopback
from landline.clients.install import ClientProgram
from landline.clients.launching import Launch, Request, Target, write_private
from landline.clients.openai_launch import KEY_VARIABLE, PROVIDER, output_limit
from landline.clients.opencode import merged, read_documents

SYSTEM_FILE, SYSTEM_DEFAULTS = "QWEN_CODE_SYSTEM_SETTINGS_PATH", "QWEN_CODE_SYSTEM_DEFAULTS_PATH"
OUTPUT = "QWEN_CODE_MAX_OUTPUT_TOKENS"
FORMAT = 4  # of its settings files; it rewrites one that does not say so
FIRST_REQUEST = 18_000  # tokens, about: 77 KB
COMPACTS_AT = 0.7  # of the window; its own default
OFF = "the vendor's usage statistics (aliyuncs.com), telemetry and updates"
LEFT = "your own MCP servers, extensions and hooks do as they like"
# Its OpenAI path tunnels 127.0.0.1 too through a proxy, whatever NO_PROXY says.
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_SYSTEM_FOLDERS = {"darwin": "Library/Application Support/QwenCode"}
_SYSTEM_FOLDER = "etc/qwen-code"
_WITHOUT_SCREEN = frozenset(("-p", "--prompt", "-h", "--help", "-v", "--version"))


def permanent(target: Target) -> dict[str, dict[str, object]]:
    """The keys that point it at the gateway, two levels deep."""
    return {
        "modelProviders": {"openai": [model_provider(target)]},
        "model": {"name": target.model},
        "security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False},
    }


def model_provider(target: Target) -> dict[str, object]:
    entry: dict[str, object] = {"id": target.model, "name": f"{target.model} ({PROVIDER})", "envKey": KEY_VARIABLE}
    entry["baseUrl"] = openai_launch.base_url(target)
    if target.window > 0:
        entry["generationConfig"] = {"contextWindowSize": target.window}
    return entry


def with_others(ours: object, theirs: object) -> list[object]:
    """Our model before those of the user's own list; one that was ours before gives way."""
    mine = cast("list[object]", ours)
    names = {_field(one, "id") for one in mine}
    kept = cast("list[object]", theirs) if isinstance(theirs, list) else []
    return [*mine, *(one for one in kept if _field(one, "id") not in names and not _is_ours(one))]


def _is_ours(entry: object) -> bool:
    return str(_field(entry, "name")).endswith(f"({PROVIDER})")


def _field(entry: object, name: str) -> object:
    return cast("dict[str, object]", entry).get(name) if isinstance(entry, dict) else None


def user_file(home: Path, environ: Mapping[str, str]) -> Path:
    moved = environ.get("QWEN_HOME")
    return (Path(moved) if moved else home / ".qwen") / "settings.json"


def overlay(target: Target) -> dict[str, object]:
    proxy: dict[str, object] = {"proxy": ""} if _is_local(target) else {}
    return {**permanent(target), **proxy}


def environment(inherited: Mapping[str, str], target: Target) -> dict[str, str]:
    """Variables that name the gateway too: for a model that the user names himself behind `--`."""
    env = openai_launch.environment(inherited, target)
    if _is_local(target):
        env = {name: value for name, value in env.items() if name not in PROXIES}
    env |= {"OPENAI_BASE_URL": openai_launch.base_url(target), "OPENAI_API_KEY": target.token}
    env |= {"OPENAI_MODEL": target.model}
    if target.window > 0:
        own = inherited.get(OUTPUT, "")
        limit = output_limit(target.window)
        env[OUTPUT] = str(min(int(own), limit) if own.isascii() and own.isdecimal() and int(own) > 0 else limit)
    return env


def system_file(environ: Mapping[str, str], *, root: Path = Path("/"), platform: str = sys.platform) -> Path:
    """The machine's own system settings; `root` is another than / in tests only."""
    named = environ.get(SYSTEM_FILE)
    return Path(named) if named else root / _SYSTEM_FOLDERS.get(platform, _SYSTEM_FOLDER) / "settings.json"


def _is_local(target: Target) -> bool:
    return is_loopback(urlsplit(target.base_url).hostname or "")


@dataclass(frozen=True, slots=True)
class QwenCode:
    """`root` is another than / in tests only."""

    root: Path = Path("/")

    def check(self, target: Target, program: ClientProgram, request: Request) -> None:
        request.wishes.refuse("Qwen Code")

    def prepare(self, target: Target, program: ClientProgram, request: Request) -> Launch:
        system = system_file(request.environ, root=self.root)
        of_machine = merged({}, *read_documents([system]))
        file = request.folder / "qwen-settings.json"
        write_private(file, json.dumps(merged(of_machine, overlay(target)), indent=1))
        env = environment(request.environ, target) | {SYSTEM_FILE: str(file)}
        env.setdefault(SYSTEM_DEFAULTS, str(system.with_name("system-defaults.json")))
        proxies = [name for name in PROXIES if request.environ.get(name) and name not in env]
        output = int(env.get(OUTPUT, "0"))
        receipt = openai_launch.receipt(
            target,
            window=openai_launch.window_in_words(target.window, point=int(COMPACTS_AT * target.window), output=output),
            by="the environment and a temporary settings file",
            off=OFF,
            left=LEFT,
            set_aside=proxies,
            first_request=FIRST_REQUEST,
        )
        return Launch(
            argv=(*program.command, *request.args),
            env=env,
            receipt=receipt,
            afterwards="to go on later: `landline launch qwen -- --continue`",
        )

    def is_interactive(self, args: Sequence[str]) -> bool:
        return not any(argument in _WITHOUT_SCREEN or not argument.startswith("-") for argument in args)
