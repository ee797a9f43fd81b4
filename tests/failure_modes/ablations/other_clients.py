"""Without these, Codex, OpenCode, Cline and Cursor guess at what a server of one's own is, and guess wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from landline.clients import codex, opencode
from landline.clients.launching import Target
from tests.failure_modes.ablation import Ablation

_OVERRIDES, _PROVIDER = codex.overrides, opencode.provider


def _no_entry(target: Target, instructions: str) -> dict[str, object]:
    return {"models": []}


def _no_window(target: Target, config: Mapping[str, object], *, catalogue_file: str = "") -> Any:
    return _OVERRIDES(replace(target, window=0), config, catalogue_file=catalogue_file)


def _no_limits(target: Target) -> dict[str, object]:
    return _PROVIDER(replace(target, window=0))


def _name_alone(endpoints: Any, name: str) -> dict[str, object]:
    return {"id": name, "object": "model"}


def _public(host: str) -> str:
    return ""


def _nothing(gateway: Any) -> None:
    return None


def _plain(gateway: Any) -> tuple[None, None]:
    return None, None


def _http(gateway: Any) -> str:
    return "http"


ABLATIONS = (
    Ablation("codex_entry", "Codex has an entry for the model", "landline.clients.codex:catalogue", _no_entry),
    Ablation("codex_window", "Codex is told the window", "landline.clients.codex:overrides", _no_window),
    Ablation("opencode_limits", "OpenCode is told its limits", "landline.clients.opencode:provider", _no_limits),
    Ablation(
        "listed_window",
        "the list of models has the window",
        "landline.server.endpoints:Pages._openai_model",
        _name_alone,
    ),
    Ablation(
        "cursor_reach",
        "the doctor sees what Cursor's cloud cannot call",
        "landline.clients.doctor.cursor:unreachable",
        _public,
    ),
    Ablation("https", "a certificate makes it https", "landline.server.run:_tls_files", _plain),
    Ablation("certificate_tried", "a bad certificate is told", "landline.server.run:check_certificate", _nothing),
    Ablation("https_named", "its own address says https", "landline.config.settings:Gateway.scheme", _http),
)
