"""The desktop application: it takes its gateway from managed settings, and nothing of the shell reaches it."""

from __future__ import annotations

from landline.clients.doctor.finding import Outcome, Passed, Problem, Source
from landline.clients.doctor.state import Desktop, State

KEY = "inferenceGatewayBaseUrl"


def desktop_app(state: State) -> Outcome:
    if not state.desktop:
        return Passed("no managed settings of the desktop application")
    last = state.desktop[-1]
    if last.provider == "gateway" and last.address.rstrip("/") == state.target.url:
        return Passed(f"the desktop application is pointed there too ({last.file})")
    return [
        Problem(
            finding=f"managed settings point the desktop application at {_where(last)}; shell and settings.json do not "
            "reach it",
            fix=f"whoever manages this machine can set {KEY} to {state.target.url} there; where nobody does, the "
            "application's own developer settings have the same field",
            source=Source(last.file),
        )
    ]


def _where(desktop: Desktop) -> str:
    if desktop.provider == "gateway":
        return desktop.address or "a gateway without an address"
    return f"{desktop.provider or 'its vendor'}, not a gateway"
