"""What of the client's features works on this path: on, emulated by landline, or off. By version, settings and address.

Measured with 2.1.100, 2.1.197 and 2.1.329; the client decides by its version, by settings, and by whether the address
is its vendor's. Nothing of it is wrong: it is for whoever misses something.
"""

from __future__ import annotations

from collections.abc import Iterator

from landline.clients.claude_code import AUTO_MODE_SINCE, DISCOVERY_VARIABLE
from landline.clients.doctor.finding import Outcome, Passed
from landline.clients.doctor.settings_in_force import SettingsInForce
from landline.clients.doctor.state import State

TOOL_SEARCH_SINCE = (2, 1, 329)  # the oldest version in which it was seen to be on by itself
QUIET_DISCOVERY_SINCE = (2, 1, 329)  # older ones look for no models where they are told to be quiet
OFF = frozenset({"", "0", "false", "no", "off"})
QUIET = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"
FIRST_PARTY = "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL"


def features(state: State) -> Outcome:
    return Passed("; ".join(f"{name}: {how}" for name, how in _told(state)))


def _told(state: State) -> Iterator[tuple[str, str]]:
    settings, version, landline = state.settings, state.client.version, state.behind_landline
    here = "emulated" if landline else "as the server does"
    yield "tool search", here if _tool_search(settings, version) else "off (all tools are sent each turn)"
    yield "thinking", "on" if not _is_on(settings, "CLAUDE_CODE_DISABLE_THINKING") else "off"
    yield "web search", _web_search(state)
    yield "PDF", "emulated" if landline else here
    yield "token counts", "on" if landline else here
    yield "models in the picker", _picker(settings, version)
    yield "all tools", "off (CLAUDE_CODE_SIMPLE)" if _is_on(settings, "CLAUDE_CODE_SIMPLE") else "on"
    yield "vendor's permission classifier", _classifier(settings, version)
    window = "asked for (the address is taken for the vendor's)" if _is_on(settings, FIRST_PARTY) else "off"
    yield "vendor's window of a million", window


def _tool_search(settings: SettingsInForce, version: tuple[int, ...]) -> bool:
    wanted = settings.text("ENABLE_TOOL_SEARCH").strip().lower()
    return wanted not in OFF if wanted else version >= TOOL_SEARCH_SINCE


def _web_search(state: State) -> str:
    if not state.behind_landline:
        return "off (a model server has none)"
    snapshot = state.target.snapshot
    return "emulated" if snapshot is not None and snapshot.web_search else "off (search.url is not set in landline)"


def _picker(settings: SettingsInForce, version: tuple[int, ...]) -> str:
    if not _is_on(settings, DISCOVERY_VARIABLE):
        return f"off ({DISCOVERY_VARIABLE} is not set)"
    if _is_on(settings, QUIET) and version < QUIET_DISCOVERY_SINCE:
        return f"off ({QUIET} forbids it to this version)"
    return "on"


def _classifier(settings: SettingsInForce, version: tuple[int, ...]) -> str:
    mode = settings.key("permissions.defaultMode")
    if version < AUTO_MODE_SINCE or (mode is not None and mode.text != "auto"):
        return "not asked"
    return "off (it asks you at every action: see permission_mode)"


def _is_on(settings: SettingsInForce, name: str) -> bool:
    return settings.text(name).strip().lower() not in OFF
