"""The settings of a launch, written for good: into the user's file, his own one of a project, or his editors'.

What is set and why is in claude_code.py; how a file is changed and put back in fixes.py.
"""

from __future__ import annotations

from pathlib import Path

from landline.clients.claude_code import DEFEATING, launch_environment, output_limit
from landline.clients.doctor.credentials import ANY_TOKEN
from landline.clients.doctor.edits import remove_everywhere
from landline.clients.doctor.finding import Edit
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce
from landline.clients.launching import Target
from landline.errors import SettingsError


def permanent_edits(settings: SettingsInForce, target: Target, file: Path) -> tuple[Edit, ...]:
    """Edits of `file` that point the client at `target`. Limits of the user's own that are lower are kept.

    Raises SettingsError where managed settings win over them, or another file of his does.
    """
    wanted = _wanted(settings, target)
    rank = max((one.origin for values in settings.env.values() for one in values if one.path == file), default=None)
    _refuse_stronger(settings, wanted, rank or (Origin.USER if file == settings.user_file else Origin.LOCAL))
    edits = [Edit(file, ("env", name), value) for name, value in wanted.items()]
    for name in DEFEATING:
        edits += remove_everywhere(settings, name)
    return tuple(edits)


def permanent_environment(settings: SettingsInForce, target: Target) -> dict[str, str]:
    """What an editor hands to the client. Raises SettingsError where a settings file, which wins, has another value."""
    wanted = _wanted(settings, target)
    _refuse_stronger(settings, wanted | dict.fromkeys(DEFEATING, ""), Origin.SHELL)
    return wanted


def _wanted(settings: SettingsInForce, target: Target) -> dict[str, str]:
    configured = {name: settings.text(name) for name in settings.env if settings.text(name)}
    return launch_environment(
        base_url=target.base_url,
        token=target.token or ANY_TOKEN,
        model=target.model,
        window=target.window,
        max_output=output_limit(target.window),
        inherited={},
        configured=configured,
        tiers=target.tiers,
    )


def _refuse_stronger(settings: SettingsInForce, wanted: dict[str, str], rank: Origin) -> None:
    """Values that stand where they win over what is written, and are others."""
    stronger = [
        f"{name} in {value.source}"
        for name, text in wanted.items()
        for value in settings.all_values(name)
        if value.origin > rank and value.text != text
    ]
    if stronger:
        raise SettingsError(f"{'; '.join(stronger)} would win.", hint="Remove it there, or write into that file.")
