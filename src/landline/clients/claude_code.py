"""Claude Code as facts: what it must be told, by environment and by `--settings`, to work on a gateway of ours.

Pure: values in, values out; reads no environment, file or clock. Each fact names the versions on which it was measured
(197 is 2.1.197, 329 is 2.1.329; no name: both). The measured table is docs/reference/claude-code-settings.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

# Variables that send the client elsewhere or add a foreign credential. They leave the process environment, and the
# overlay sets each to the empty string, which the client treats as unset: it is the only way to undo a settings file.
DEFEATING = (
    "ANTHROPIC_API_KEY",  # otherwise sent as x-api-key beside our token; makes the TUI check for a vendor login
    "CLAUDE_CODE_USE_BEDROCK",  # each of these ignores ANTHROPIC_BASE_URL and calls the cloud's own host
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",  # 329 only; 197 does not know it
    "ANTHROPIC_UNIX_SOCKET",  # beats the base URL. 197: no overlay undoes it, see `user_settings_conflicts`
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",  # makes the client ignore such variables in every settings file, ours too
)
UNIX_SOCKET = "ANTHROPIC_UNIX_SOCKET"
UNIX_SOCKET_UNDONE_SINCE = (2, 1, 329)  # oldest version on which the empty string was seen to work

TIER_VARIABLES = {
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "fable": "ANTHROPIC_DEFAULT_FABLE_MODEL",
}
NO_PROXY_NAMES = ("NO_PROXY", "no_proxy")  # the lower-case one wins where both are set, so both must be right
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

# With both context variables set the client compacts at: declared window - min(max output, 20,000) - 13,000 tokens
# (measured from 8k to 262k, both versions). One of them alone has no effect on 197.
WINDOW_VARIABLE = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
COMPACTION_VARIABLE = "CLAUDE_CODE_AUTO_COMPACT_WINDOW"
OUTPUT_VARIABLE = "CLAUDE_CODE_MAX_OUTPUT_TOKENS"
TOOL_SEARCH_VARIABLE = "ENABLE_TOOL_SEARCH"
DISCOVERY_VARIABLE = "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"
SMALLEST_COMPACTION_WINDOW = 100_000
CLIENT_RESERVE = 13_000
SUMMARY_RESERVE = 20_000
LARGEST_OUTPUT = 32_000  # what the client asks for by itself for a model that it does not know
SMALL_WINDOW = 64_000

AUTO_MODE_SINCE = (2, 1, 329)  # the oldest version that was seen to start in the mode `auto`
_PERMISSION_ARGUMENTS = frozenset({"--permission-mode", "--dangerously-skip-permissions"})

# Where managed settings may differ from ours without moving a request or stopping the client.
_MAY_DIFFER = frozenset(
    {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
        "CLAUDE_CODE_ATTRIBUTION_HEADER",
        TOOL_SEARCH_VARIABLE,
        DISCOVERY_VARIABLE,
        WINDOW_VARIABLE,
        COMPACTION_VARIABLE,
        OUTPUT_VARIABLE,
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    }
)
# Managed keys by which the client refuses any token but one of its vendor's (it exits with 1 before a request).
_LOGIN_KEYS = ("forceLoginMethod", "forceLoginOrgUUID")


def output_limit(window: int) -> int:
    """Longest answer to ask for: a quarter of the window, so that three quarters stay for the conversation."""
    return min(LARGEST_OUTPUT, window // 4)


def declared_window(window: int) -> int:
    """What the client is told the window is, in tokens: the true one from 104,000 up, more below.

    The client keeps 13,000 tokens free at any size; of a 32k window it would compact before its first turn had fitted,
    of 8k after every turn. We keep an eighth free instead, and declare what makes the client arrive at that.
    """
    return window + CLIENT_RESERVE - min(CLIENT_RESERVE, window // 8)


def compaction_point(declared: int, max_output: int) -> int:
    """Prompt tokens at which the client summarises the conversation, for the window that it was told."""
    return max(declared - min(max_output, SUMMARY_RESERVE) - CLIENT_RESERVE, 0)


def compaction_point_of(env: Mapping[str, str]) -> int:
    """The same, for an environment that `launch_environment` made with a known window."""
    declared = min(int(env[name]) for name in (WINDOW_VARIABLE, COMPACTION_VARIABLE))
    return compaction_point(declared, int(env[OUTPUT_VARIABLE]))


def small_window_advice(window: int) -> str:
    """What a small window means in practice; empty where the client works as it comes. Sizes: 197 and 329."""
    if window <= 0 or window >= SMALL_WINDOW:
        return ""
    if window < 24_000:
        return (
            f"A window of {window:,} tokens does not hold the client's own first request (12,000 to 22,000). "
            "Use --lean (about 4,000) or CLAUDE_CODE_SIMPLE=1 (three tools, 1,000), or serve the model with 64,000 or "
            "more."
        )
    return (
        f"Of {window:,} tokens the client's own prompt and tools take 12,000 to 22,000, so it will often compact. "
        "--lean brings that to about 4,000, CLAUDE_CODE_SIMPLE=1 to 1,000 (three tools); better, serve the model with "
        "64,000 or more."
    )


def launch_environment(
    *,
    base_url: str,
    token: str,
    model: str,
    window: int,
    max_output: int,
    inherited: Mapping[str, str],
    configured: Mapping[str, str] | None = None,
    tiers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of the client's process.

    `window` and `max_output` in tokens; 0: not known, and left to the client. An empty `model` sets none. `configured`
    is the `env` of the user's settings files: his own lower limits and proxy exceptions are kept. `tiers` maps opus,
    sonnet, haiku and fable to served models; a tier that it does not name gets `model`. IS_SANDBOX is passed on, never
    set: permissions are his.
    """
    wanted = {**inherited, **(configured or {})}
    kept = {name: value for name, value in inherited.items() if name not in DEFEATING}
    return (
        kept
        | {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_AUTH_TOKEN": token}
        | _models(model, tiers or {})
        | _limits(window, max_output, wanted)
        | proxy_exceptions(base_url, wanted)
        | {
            # -p then contacts loopback only; 197 sends 9 kB less per request.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # The TUI otherwise fetches the vendor's plugin list, whatever the line above says.
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
            # A line in the first bytes of the prompt that differs per session and subagent: no prefix could be shared.
            "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
            # Rarely used tools are sent when they are found only: 197 sends 24 tools without it, 9 with it; 329 does it
            # by itself. The gateway tells the model of found tools without moving the prompt.
            TOOL_SEARCH_VARIABLE: wanted.get(TOOL_SEARCH_VARIABLE) or "true",
            # `/model` then lists what the gateway serves (329; 197 asks for no list where it is told to be quiet).
            DISCOVERY_VARIABLE: wanted.get(DISCOVERY_VARIABLE) or "1",
        }
    )


def settings_overlay(env: Mapping[str, str], *, restricts_models: bool = False) -> dict[str, object]:
    """Content of the `--settings` file for `env` as `launch_environment` made it.

    Settings files beat the process environment, `--settings` beats every one of them but managed settings.
    `restricts_models`: the user's settings have `availableModels`. It makes the client replace our model by one of its
    vendor's; lists of several files are joined, so naming ours lets it through and keeps his.
    """
    names = [*_chosen_names(), *NO_PROXY_NAMES]
    values = {name: env[name] for name in names if name in env} | dict.fromkeys(DEFEATING, "")
    # The helper's output would be sent as x-api-key beside our token. null would make the client drop the whole file.
    overlay: dict[str, object] = {"env": values, "apiKeyHelper": ""}
    if restricts_models:
        served = [env[name] for name in ("ANTHROPIC_MODEL", *TIER_VARIABLES.values()) if name in env]
        overlay["availableModels"] = list(dict.fromkeys(served))
    return overlay


def switched_off(wanted: Mapping[str, str]) -> list[str]:
    """Names that the user had set, in shell or settings files, and that do not hold for this launch."""
    return [name for name in DEFEATING if wanted.get(name)]


def managed_settings_conflicts(
    managed: Sequence[tuple[Path, Mapping[str, object]]], overlay: Mapping[str, object]
) -> list[str]:
    """Each `file: key` by which managed settings win over `overlay`, with what it does. Names only, never values."""
    ours = environment_of(overlay)
    return [f"{path}: {text}" for path, document in managed for text in _conflicts(document, ours)]


def user_settings_conflicts(
    documents: Sequence[tuple[Path, Mapping[str, object]]], version: str | None = None
) -> list[str]:
    """Each `file: key` of the user's own settings that no overlay can undo on this version (None: not known)."""
    if version is not None and _numbers(version) >= UNIX_SOCKET_UNDONE_SINCE:
        return []
    return [
        f"{path}: env.{UNIX_SOCKET} (this version obeys it before anything that landline can set)"
        for path, document in documents
        if environment_of(document).get(UNIX_SOCKET)
    ]


def environment_of(document: Mapping[str, object]) -> dict[str, str]:
    """The `env` of a settings document as the client reads it: numbers become text, anything else is left out."""
    env = document.get("env")
    if not isinstance(env, dict):
        return {}
    pairs = cast("dict[str, object]", env)
    return {name: str(value) for name, value in pairs.items() if isinstance(value, str | int | float)}


def split_settings_argument(args: Sequence[str]) -> tuple[list[str], str | None]:
    """The client's arguments without `--settings`, and its value: a path, or JSON text. Nothing else is touched.

    Of several the last one counts, for the client too: it drops the earlier ones whole.
    """
    rest: list[str] = []
    value: str | None = None
    position = 0
    while position < len(args) and args[position] != "--":
        argument = args[position]
        position += 1
        if argument == "--settings" and position < len(args):
            value = args[position]
            position += 1
        elif argument.startswith("--settings="):
            value = argument.removeprefix("--settings=")
        else:
            rest.append(argument)
    return [*rest, *args[position:]], value


def merged_settings(theirs: Mapping[str, object], ours: Mapping[str, object]) -> dict[str, object]:
    """The user's own `--settings` under ours. His other keys stay; `availableModels` and denied tools are joined."""
    merged = {**theirs, **ours}
    env = theirs.get("env")
    if isinstance(env, dict):
        merged["env"] = {**env, **environment_of(ours)}
    rules = [cast("dict[str, object]", document["permissions"]) for document in (theirs, ours) if _has_rules(document)]
    if len(rules) == 2:
        denied = [cast("list[str]", one.get("deny", [])) for one in rules]
        merged["permissions"] = {**rules[0], **rules[1], "deny": [*denied[0], *denied[1]]}
    lists = [document["availableModels"] for document in (theirs, ours) if _has_model_list(document)]
    if lists:
        merged["availableModels"] = list(dict.fromkeys(name for names in lists for name in cast("list[str]", names)))
    return merged


def permission_arguments(
    args: Sequence[str], documents: Iterable[Mapping[str, object]], version: str
) -> tuple[str, ...]:
    """Arguments that keep 329 out of its mode `auto`, unless the user chose a mode himself.

    That mode asks a classifier of its vendor's before every action, and without it asks the user each time; `default`
    asks by rules, as older versions do, and permits nothing more. Given as an argument, 329 asks no question about it.
    """
    chosen = any(_permission_mode(document) for document in documents)
    if chosen or _numbers(version) < AUTO_MODE_SINCE or _PERMISSION_ARGUMENTS & {arg.partition("=")[0] for arg in args}:
        return ()
    return ("--permission-mode", "default")


def _permission_mode(document: Mapping[str, object]) -> bool:
    permissions = document.get("permissions")
    return isinstance(permissions, dict) and "defaultMode" in permissions


def restricts_models(documents: Iterable[Mapping[str, object]]) -> bool:
    return any(_has_model_list(document) for document in documents)


def _has_rules(document: Mapping[str, object]) -> bool:
    return isinstance(document.get("permissions"), dict)


def _has_model_list(document: Mapping[str, object]) -> bool:
    return isinstance(document.get("availableModels"), list)


def _chosen_names() -> tuple[str, ...]:
    return (
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_MODEL",
        *TIER_VARIABLES.values(),
        "ANTHROPIC_SMALL_FAST_MODEL",
        "CLAUDE_CODE_SUBAGENT_MODEL",
        WINDOW_VARIABLE,
        COMPACTION_VARIABLE,
        OUTPUT_VARIABLE,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
        "CLAUDE_CODE_ATTRIBUTION_HEADER",
        TOOL_SEARCH_VARIABLE,
        DISCOVERY_VARIABLE,
    )


def _models(model: str, tiers: Mapping[str, str]) -> dict[str, str]:
    if not model:  # not known yet
        return {}
    chosen = {"ANTHROPIC_MODEL": model}  # beats the key `model` of every settings file, managed ones too
    chosen |= {variable: tiers.get(tier, model) for tier, variable in TIER_VARIABLES.items()}
    chosen["ANTHROPIC_SMALL_FAST_MODEL"] = chosen[TIER_VARIABLES["haiku"]]  # older name of the haiku tier
    if not tiers:
        chosen["CLAUDE_CODE_SUBAGENT_MODEL"] = model  # with tiers, a subagent's own tier has a meaning: leave it
    return chosen


def _limits(window: int, max_output: int, wanted: Mapping[str, str]) -> dict[str, str]:
    limits: dict[str, int] = {}
    if window > 0:
        declared = declared_window(window)
        limits[WINDOW_VARIABLE] = declared
        # The lower of the two counts. 329 prints a warning below 100,000 and takes it for that; 197 only needs it set.
        limits[COMPACTION_VARIABLE] = max(declared, SMALLEST_COMPACTION_WINDOW)
    if max_output > 0:
        limits[OUTPUT_VARIABLE] = max_output
    return {name: str(_at_most(wanted.get(name), limit)) for name, limit in limits.items()}


def _at_most(own: str | None, limit: int) -> int:
    """The user's own number where it is the lower one."""
    if own is None or not own.isascii() or not own.isdecimal() or int(own) == 0:
        return limit
    return min(int(own), limit)


def proxy_exceptions(base_url: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """A loopback gateway must be called directly, also where a proxy is set (HTTP_PROXY, ALL_PROXY: both tried)."""
    host = urlsplit(base_url).hostname or ""
    if not is_loopback(host):
        return {}
    entries = [entry.strip() for name in NO_PROXY_NAMES for entry in wanted.get(name, "").split(",")]
    merged = ",".join(dict.fromkeys(entry for entry in [*entries, *LOOPBACK_NAMES, host] if entry))
    return dict.fromkeys(NO_PROXY_NAMES, merged)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _conflicts(document: Mapping[str, object], ours: Mapping[str, str]) -> list[str]:
    theirs = environment_of(document)
    found = [f"env.{name}" for name, value in ours.items() if name in theirs and _differs(name, theirs[name], value)]
    if document.get("apiKeyHelper"):
        found.append("apiKeyHelper (its key would be sent with every request)")
    models = document.get("availableModels")
    model = ours.get("ANTHROPIC_MODEL")
    if isinstance(models, list) and model is not None and model not in models:
        found.append("availableModels (does not name the served model)")
    return found + [f"{name} (the client accepts its vendor's login only)" for name in _LOGIN_KEYS if name in document]


def _differs(name: str, theirs: str, ours: str) -> bool:
    if name in _MAY_DIFFER:
        return False
    if name in NO_PROXY_NAMES:
        return not {"127.0.0.1", "*"} & {entry.strip() for entry in theirs.split(",")}
    if name in DEFEATING:
        return theirs.strip().lower() not in {"", "0", "false", "no", "off"}
    return theirs != ours


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split("-", 1)[0].split(".")
    return tuple(int(part) for part in parts if part.isascii() and part.isdecimal())
