"""OpenCode: what it must be told to work on a gateway of ours, and how it is started. Measured on 1.18.33.

OPENCODE_CONFIG_CONTENT, a document in its environment, is laid over the user's own files and his project's, key by
key; where it is set, the client writes no file of defaults into the user's folder either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from landline.clients import openai_launch
from landline.clients.claude_settings import read_small
from landline.clients.doctor.commented_json import decoded
from landline.clients.install import ClientProgram
from landline.clients.launching import Launch, Request, Target
from landline.clients.openai_launch import KEY_VARIABLE, PROVIDER, output_limit
from landline.errors import SettingsError

CONTENT = "OPENCODE_CONFIG_CONTENT"
SCHEMA = "https://opencode.ai/config.json"
FIRST_REQUEST = 8_000  # tokens, about: 34 KB
QUIET = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
OFF = "the list of models (models.opencode.ai), updates, sharing of sessions"
LEFT = (
    "the npm registry, for the package of its plugin folder; GitHub, for language servers "
    "(OPENCODE_DISABLE_LSP_DOWNLOAD=1); your other providers, plugins and MCP servers"
)
_WITHOUT_SCREEN = (
    "run serve web acp mcp auth agent upgrade uninstall models stats export import github pr session db debug "
    "completion -h --help -v --version"
)

Document = Mapping[str, object]


def overlay(target: Target, documents: Iterable[Document]) -> dict[str, object]:
    """The keys that are laid over the user's. `documents` are his, of which a list of allowed providers is kept."""
    chosen = permanent(target)
    allowed = [cast("list[str]", one["enabled_providers"]) for one in documents if _has_list(one, "enabled_providers")]
    if allowed:
        chosen["enabled_providers"] = list(dict.fromkeys([*allowed[-1], PROVIDER]))
    return chosen


def permanent(target: Target) -> dict[str, object]:
    name = f"{PROVIDER}/{target.model}"
    return {
        "model": name,
        "small_model": name,  # titles; it would else look for a small model of another provider
        "autoupdate": False,
        "share": "disabled",
        "provider": {PROVIDER: provider(target)},
    }


def provider(target: Target) -> dict[str, object]:
    model: dict[str, object] = {"name": target.model}
    if target.window > 0:  # else it never compacts by itself
        model["limit"] = {"context": target.window, "output": output_limit(target.window)}
    options = {"baseURL": openai_launch.base_url(target), "apiKey": f"{{env:{KEY_VARIABLE}}}"}
    return {
        "npm": "@ai-sdk/openai-compatible",  # part of the program: nothing is fetched
        "name": PROVIDER,
        "options": options,
        "models": {target.model: model},
    }


def compaction_point(window: int) -> int:
    """It compacts where the longest answer would not fit any more."""
    return window - output_limit(window)


def set_aside(documents: Iterable[Document], target: Target) -> list[str]:
    ours = permanent(target)
    names = ("model", "small_model", "share", "autoupdate")
    return [name for name in names if any(one.get(name, ours[name]) != ours[name] for one in documents)]


def agents_elsewhere(documents: Iterable[Document]) -> list[str]:
    """Names of the user's agents that have a model of their own: they do not use ours."""
    found: list[str] = []
    for document in documents:
        agents = document.get("agent")
        for name, agent in cast("dict[str, object]", agents).items() if isinstance(agents, dict) else ():
            model = cast("dict[str, object]", agent).get("model") if isinstance(agent, dict) else None
            if isinstance(model, str) and not model.startswith(f"{PROVIDER}/"):
                found.append(name)
    return list(dict.fromkeys(found))


def config_files(*, home: Path, cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """In rising precedence: the user's, the one that he names, the project's from the outermost folder inwards."""
    moved = environ.get("XDG_CONFIG_HOME")
    own = (Path(moved) if moved else home / ".config") / "opencode"
    files = [own / "config.json", own / "opencode.json", own / "opencode.jsonc"]
    named = environ.get("OPENCODE_CONFIG")
    files += [Path(named)] if named else []
    for folder in reversed([cwd, *cwd.parents]):
        files += [folder / "opencode.json", folder / "opencode.jsonc"]
        files += [folder / ".opencode" / "opencode.json", folder / ".opencode" / "opencode.jsonc"]
    return files


def read_documents(files: Iterable[Path], *, strict: bool = False) -> list[dict[str, object]]:
    """Those that can be read; of a broken one the client speaks itself. Raises SettingsError for it where `strict`."""
    documents: list[dict[str, object]] = []
    for file in files:
        try:
            documents.append(decoded(read_small(file).decode("utf-8-sig")))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RecursionError):
            if strict:
                raise SettingsError(f"{file} cannot be read.", hint="Correct it by hand.") from None
    return documents


@dataclass(frozen=True, slots=True)
class OpenCode:
    def check(self, target: Target, program: ClientProgram, request: Request) -> None:
        request.wishes.refuse("OpenCode")
        _own_content(request.environ)

    def prepare(self, target: Target, program: ClientProgram, request: Request) -> Launch:
        files = config_files(home=request.home, cwd=request.cwd, environ=request.environ)
        theirs = _own_content(request.environ)
        documents = [*read_documents(files), theirs]
        content = merged(theirs, overlay(target, documents))
        env = openai_launch.environment({**QUIET, **request.environ}, target) | {CONTENT: json.dumps(content)}
        elsewhere = agents_elsewhere(documents)
        left = f"{LEFT}; the agents {', '.join(elsewhere)} have a model of their own" if elsewhere else LEFT
        point = compaction_point(target.window)
        receipt = openai_launch.receipt(
            target,
            window=openai_launch.window_in_words(target.window, point=point, output=output_limit(target.window)),
            by=CONTENT,
            off=OFF,
            left=left,
            set_aside=set_aside(documents, target),
            first_request=FIRST_REQUEST,
        )
        return Launch(
            argv=(*program.command, *request.args),
            env=env,
            receipt=receipt,
            afterwards="to go on later: `landline launch opencode -- --continue`",
        )

    def is_interactive(self, args: Sequence[str]) -> bool:
        return not set(_WITHOUT_SCREEN.split()) & set(args)


def merged(theirs: Document, *others: Document) -> dict[str, object]:
    """Each over those before it, object by object, as the client does with its files."""
    result = dict(theirs)
    for name, value in (pair for document in others for pair in document.items()):
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[name] = merged(cast("Document", old), cast("Document", value)) if both else value
    return result


def _own_content(environ: Mapping[str, str]) -> dict[str, object]:
    text = environ.get(CONTENT)
    try:
        return decoded(text) if text else {}
    except (ValueError, RecursionError):
        raise SettingsError(f"{CONTENT} is not a JSON object.", hint="Correct it in your shell, or unset it.") from None


def _has_list(document: Document, name: str) -> bool:
    value = document.get(name)
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))
