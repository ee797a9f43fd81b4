"""The client's program and files, and what it does beside asking the model: telemetry, updates, questions."""

from __future__ import annotations

from landline.clients.claude_code import AUTO_MODE_SINCE, DEFEATING
from landline.clients.doctor.address import BASE_URL
from landline.clients.doctor.edits import in_user_file, set_where_it_stands
from landline.clients.doctor.features import OFF
from landline.clients.doctor.finding import Outcome, Passed, Problem, Severity, Skipped, Source
from landline.clients.doctor.settings_in_force import Origin
from landline.clients.doctor.state import State
from landline.clients.install import without_network
from landline.clients.known import CLAUDE

PERMISSION_KEYS = ("permissions", "defaultMode")
EDITOR_FIX = "`landline settings write claude --vscode` writes it there; then start the editor anew"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "telemetry, update checks and feature flags",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "the vendor's plugin list, in the terminal interface",
}
# What the client reads from files and shell alike, and what a user expects of the shell's.
SHARED_PREFIXES = ("ANTHROPIC_", "CLAUDE_CODE_", "API_", "DISABLE_")
SHARED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")


def client(state: State) -> Outcome:
    if state.client.foreign:
        return [
            Problem(
                finding=f"the first `claude` on PATH is a program of Windows, seen from WSL: {state.client.foreign}",
                fix="install Claude Code inside WSL and put its folder first on PATH (or set appendWindowsPath=false "
                "in /etc/wsl.conf): the other one reads Windows' settings and paths",
                source=Source(state.client.foreign),
            )
        ]
    if state.client.version:
        return Passed(f"Claude Code {state.client.shown} ({state.client.path})")
    return [
        Problem(
            finding="no `claude` on PATH, in ~/.claude/local, ~/.local/bin, or in landline's cache",
            fix=f"install it, or let `landline launch claude` do so. {without_network(CLAUDE)}",
            source=Source("PATH"),
        )
    ]


def settings_file(state: State) -> Outcome:
    settings = state.settings
    found: list[Problem] = []
    for one in settings.unreadable_managed:
        found.append(
            Problem(
                finding=f"the managed file {one.path} cannot be used: {one.reason}; 2.1.329 does not start with it",
                fix="whoever manages this machine can correct it",
                source=Source(str(one.path), one.line),
            )
        )
    for one in settings.unreadable:
        found.append(
            Problem(
                finding=f"{one.path} cannot be used: {one.reason}",
                fix="correct it, or move it away",
                source=Source(str(one.path), one.line),
            )
        )
    for one in settings.ignored:
        found.append(
            Problem(
                finding=f"{one.source.file} is ignored whole: {one.key} has a type that the client does not accept",
                fix=f"correct {one.key}",
                source=one.source,
            )
        )
    return found or Passed(f"{len(settings.files)} read: {', '.join(settings.files)}" if settings.files else "none")


def shell_overruled(state: State) -> Outcome:
    found: list[Problem] = []
    for name, values in state.settings.env.items():
        shell, last = values[0], values[-1]
        if not (name.startswith(SHARED_PREFIXES) or name in SHARED):
            continue
        if shell.origin is Origin.SHELL and last.origin is not Origin.SHELL and _loses(name, shell.text, last.text):
            found.append(
                Problem(
                    finding=f"the shell's {name} has no effect: {last.source} sets another value",
                    fix=f"change or remove {name} there",
                    source=last.source,
                )
            )
    return found or Passed("no difference")


def _loses(name: str, shell: str, file: str) -> bool:
    """Whether the shell's value is lost, other than on purpose: switched off, or joined with more exceptions."""
    if name.lower() == "no_proxy":
        return not _entries(shell) <= _entries(file)
    return shell != file and not (name in DEFEATING and not file)


def _entries(text: str) -> set[str]:
    return {entry.strip() for entry in text.split(",") if entry.strip()}


def editor(state: State) -> Outcome:
    """Of the address alone: what else is wrong there is wrong in the terminal too, or told by --vscode's difference."""
    if not state.editors:
        return Passed("no editor here has the extension")
    value = state.settings.value(BASE_URL)
    found: list[Problem] = []
    for one in state.editors:
        source, told = Source(one.file, one.line), one.told.get(BASE_URL, "")
        if one.unreadable:
            text = "it cannot be read: what its extension gets is not known"
            found.append(Problem(finding=text, fix="correct it, or move it away", source=source))
        elif value is not None and value.origin is Origin.SHELL and not told:
            text = f"{BASE_URL} stands in the shell alone, which the extension does not see"
            found.append(Problem(finding=text, fix=EDITOR_FIX, source=source))
        elif told and (value is None or told.rstrip("/") != value.text.rstrip("/")):
            other = f"{value.text} counts in the terminal ({value.source})" if value else "none in the terminal"
            found.append(Problem(finding=f"it hands out {BASE_URL} {told}; {other}", fix=EDITOR_FIX, source=source))
    return found or Passed("the same address, or the client's settings file alone")


def telemetry(state: State) -> Outcome:
    settings = state.settings
    open_still = {name: what for name, what in QUIET.items() if settings.text(name).strip().lower() in OFF}
    if not open_still:
        return Passed("off")
    edits = [edit for name in open_still for edit in set_where_it_stands(settings, name, "1").edits]
    source = set_where_it_stands(settings, next(iter(open_still)), "1").source
    return [
        Problem(
            finding=f"still on: {'; '.join(open_still.values())}",
            fix=f"set {' and '.join(open_still)} to 1",
            source=source,
            edits=tuple(edits),
        )
    ]


def billing_line(state: State) -> Outcome:
    name = "CLAUDE_CODE_ATTRIBUTION_HEADER"
    value = state.settings.value(name)
    if value is not None and value.text.strip().lower() in OFF:
        return Passed("switched off")
    if state.behind_landline:
        return Passed("landline takes it out")
    if not state.target.answers:
        return Skipped("nothing answers there")
    edits = set_where_it_stands(state.settings, name, "0")
    return [Problem(finding="it is sent", fix=f"set {name} to 0", source=edits.source, edits=edits.edits)]


def permission_mode(state: State) -> Outcome:
    mode = state.settings.key("permissions.defaultMode")
    if state.client.version and state.client.version < AUTO_MODE_SINCE:
        return Passed("this version asks by rules of its own")
    if mode is not None and mode.text != "auto":
        return Passed(mode.text)
    named = f"permissions.defaultMode is {mode.text}" if mode else "permissions.defaultMode is not set"
    source = mode.source if mode else Source(str(state.settings.user_file))
    # Which mode is right is the user's to say: `--fix` writes the one that asks as before.
    edits = in_user_file(state.settings, PERMISSION_KEYS, "default") if mode is None else ()
    return [
        Problem(
            finding=f"{named}, so the terminal interface starts in its mode `auto`",
            fix="set permissions.defaultMode to default (asks), or to acceptEdits (writes files without asking)",
            source=source,
            severity=Severity.WARNING,
            edits=edits,
        )
    ]
