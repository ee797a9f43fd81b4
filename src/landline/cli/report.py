"""`landline report`: one document to attach to a bug report, without bodies and keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landline.cli.output import emit, notice, reports_errors
from landline.errors import LandlineError, SettingsError

if TYPE_CHECKING:
    from landline.clients.live_gateway import Snapshot
    from landline.config.settings import Settings

PRIVATE = 0o600


@click.command(
    epilog="\b\nExamples:\n  landline report > report.json\n  landline report --full -o report.json\n"
    "  landline report --gateway http://127.0.0.1:4000 --backend http://127.0.0.1:8000\n\n"
    "Read it before you give it away: names of models, hosts and projects are in it."
)
@click.option("--gateway", metavar="URL", help="A running gateway; its key: LANDLINE_GATEWAY_KEYS.  [default: ours]")
@click.option("--backend", metavar="URL", help="The model server behind it, with or without /v1.")
@click.option("--full", is_flag=True, help="Let the doctor ask the model too, as `landline doctor` does.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file. It must not exist yet."
)
@reports_errors
def report(*, gateway: str | None, backend: str | None, full: bool, output: Path | None) -> None:
    """Print what a bug report needs, as JSON.

    Versions, the settings that somebody set, what the doctor finds, what the gateway did last: times, tokens, repairs,
    alerts. No prompt, no answer, no key is in it.
    """
    import json
    import os

    document = _document(gateway, backend, full=full)  # first: what it raises leaves no empty file behind
    if output is None:
        emit(document, as_json=True)
        return
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
    except OSError as error:
        raise SettingsError(f"{output} cannot be written: {error.strerror}.", hint="Name another file.") from error
    notice(f"written: {output}. Read it before you give it away.")


def _document(gateway: str | None, backend: str | None, *, full: bool) -> dict[str, Any]:
    import asyncio
    import os
    from datetime import UTC, datetime

    from landline.clients.bug_report import BugReport, known_secrets, redacted, settings_shown, versions
    from landline.clients.doctor.diagnosing import diagnose
    from landline.clients.doctor.gathering import Where, gather
    from landline.clients.remote_gateway import gateway_base
    from landline.config.sources import load_settings

    environ = dict(os.environ)
    loaded = load_settings(flags={"backend.url": backend}, environ=environ, cwd=Path.cwd())
    home = Path(environ.get("HOME") or Path.home())
    address = gateway_base(gateway) if gateway else ""
    where = Where(
        home=home,
        cwd=Path.cwd(),
        environ=environ,
        gateway=address,
        backend=backend or "",
        quick=not full,
        timeout_s=60,
    )
    snapshot, problem = _snapshot(address, loaded.settings)  # before the doctor's own requests are among the last
    diagnosis, _ = diagnose(asyncio.run(gather(where, loaded.settings)))
    whole = BugReport(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        settings=settings_shown(loaded),
        doctor=diagnosis,
        gateway=snapshot,
        problems=(problem,) if problem else (),
    )
    return redacted(whole, secrets=known_secrets(loaded, environ), home=str(home))


def _snapshot(address: str, settings: Settings) -> tuple[Snapshot | None, str]:
    """What the gateway did last, or why that is not known."""
    from landline.cli.watch import gateway_address
    from landline.clients.live_gateway import live_answer, read_snapshot

    key = settings.gateway.keys[0] if settings.gateway.keys else ""
    try:
        base_url = gateway_address(address or None, settings)
        return read_snapshot(live_answer(base_url, key=key), base_url), ""
    except LandlineError as error:
        return None, error.message
