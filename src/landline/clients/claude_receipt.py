"""What a launch of Claude Code tells its user before the client's screen opens. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Mapping

from landline.clients import claude_code
from landline.clients.claude_lean import EVERYTHING, lean_in_words
from landline.clients.launching import Target, Wishes

Lines = tuple[tuple[str, str], ...]

OFF = "the vendor's telemetry, updates and plugin list; the billing line in the prompt"
# 2.1.197 and 2.1.329: WebFetch asks the vendor first, whatever is switched off.
LEFT = "WebFetch asks the vendor whether a site is safe; your own hooks, plugins and MCP servers do as they like"
OFFERED = "--status-line shows model, window, cache hits and speed on the client's own screen"
OWN_KEPT = "yours is kept; --replace-status-line shows landline's for this launch"


def receipt(
    env: Mapping[str, str],
    target: Target,
    wanted: Mapping[str, str],
    *,
    wishes: Wishes,
    own_status_line: bool,
    interactive: bool,
) -> Lines:
    """`env` as `launch_environment` made it; `wanted` is what the user had set, in shell and settings files."""
    lines = [("model", target.model), ("window", _window(env, target))]
    lines += _known(("backend", target.backend), ("cache", target.cache))
    lines.append(("pointed at", f"{target.base_url}, in this one process (environment and --settings)"))
    lines += [("off", OFF), ("left", LEFT)]
    lines += _known(("web search", target.searches and f"goes to {target.searches}"))
    replaced = claude_code.switched_off(wanted)
    if replaced:
        lines.append(("set aside", f"{', '.join(replaced)} of your own settings, for this launch"))
    if wishes.lean:
        lines.append(("lean", lean_in_words()))
    if interactive:
        lines += _known(("status line", _status_line(wishes, own=own_status_line)))
    if not wishes.lean and not wanted.get(EVERYTHING):
        lines += _known(("note", claude_code.small_window_advice(target.window)))
    return tuple(lines)


def _window(env: Mapping[str, str], target: Target) -> str:
    if target.window <= 0:
        return "not known; the client waits for the backend's own limit"
    output, point = int(env[claude_code.OUTPUT_VARIABLE]), claude_code.compaction_point_of(env)
    return f"{target.window:,} tokens; compacts at about {point:,}; answers up to {output:,}"


def _status_line(wishes: Wishes, *, own: bool) -> str:
    if wishes.replace_status_line or (wishes.status_line and not own):
        return "landline's, on the client's own screen"
    if wishes.status_line:
        return OWN_KEPT
    return "" if own else OFFERED


def _known(*lines: tuple[str, str]) -> list[tuple[str, str]]:
    return [(label, text) for label, text in lines if text]
