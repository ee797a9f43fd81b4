"""From the state to the diagnosis: every check of the table, in its order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, assert_never

from landline.clients.doctor import (
    address,
    answers,
    conduct,
    credentials,
    desktop,
    features,
    limits,
    models,
    server_log,
    servers,
)
from landline.clients.doctor.catalogue import CHECKS, Check
from landline.clients.doctor.finding import (
    Diagnosis,
    Edit,
    Finding,
    Outcome,
    Passed,
    Problem,
    Severity,
    Skipped,
    Source,
    Untried,
)
from landline.clients.doctor.state import State
from landline.config.display import hide_logins, printable

Seen = TypeVar("Seen")

FUNCTIONS: dict[str, Callable[[State], Outcome]] = {
    "client": conduct.client,
    "settings_file": conduct.settings_file,
    "shell_overruled": conduct.shell_overruled,
    "editor": conduct.editor,
    "base_url": address.base_url,
    "base_url_path": address.base_url_path,
    "other_provider": address.other_provider,
    "proxy": address.proxy,
    "token": credentials.token,
    "key_without_token": credentials.key_without_token,
    "key_beside_token": credentials.key_beside_token,
    "token_refused": credentials.token_refused,
    "model_unset": models.model_unset,
    "picker_option": models.picker_option,
    "model_name": models.model_name,
    "model_long_context": models.model_long_context,
    "model_tiers": models.model_tiers,
    "model_list": models.model_list,
    "output_limit": limits.output_limit_fits,
    "declared_window": limits.declared,
    "prefill_time": limits.prefill_time,
    "telemetry": conduct.telemetry,
    "billing_line": conduct.billing_line,
    "features": features.features,
    "permission_mode": conduct.permission_mode,
    "desktop_app": desktop.desktop_app,
    "gateway": address.gateway,
    "gateway_version": address.gateway_version,
    "gateway_missing": address.gateway_missing,
    "request": servers.request,
    "silent_retries": servers.silent_retries,
    "prefix_moved": servers.prefix_moved,
    "backend": servers.backend,
    "server_log": server_log.server_log,
    "backend_loading": servers.backend_loading,
    "backend_key": servers.backend_key,
    "backend_version": servers.backend_version,
    "keep_alive": servers.keep_alive,
    "window": limits.window,
    "prompts_cut": answers.prompts_cut,
    "template_tools": answers.template_tools,
    "prefix_cache": servers.prefix_cache,
    "tool_parser": answers.tool_parser,
    "reasoning_parser": answers.reasoning_parser,
    "streaming": answers.streaming,
}


def diagnose(state: State) -> tuple[Diagnosis, tuple[Edit, ...]]:
    """The diagnosis, and what would mend it: the edits of all problems, the first one for each key."""
    return judged(CHECKS, FUNCTIONS, state)


def judged(
    checks: Mapping[str, Check], functions: Mapping[str, Callable[[Seen], Outcome]], state: Seen
) -> tuple[Diagnosis, tuple[Edit, ...]]:
    """The same for any table of checks, over whatever its functions look at."""
    found: list[Finding] = []
    untried: list[Untried] = []
    edits: list[Edit] = []
    for name, check in checks.items():
        outcome = functions[name](state)
        match outcome:
            case Passed():
                found.append(Finding(id=name, title=check.title, finding=_safe(outcome.text), severity=Severity.OK))
            case Skipped():
                untried.append(Untried(name, check.title, _safe(outcome.reason)))
            case list():
                found += [_finding(name, check, problem) for problem in outcome]
                edits += [edit for problem in outcome for edit in problem.edits]
            case _:
                assert_never(outcome)
    return Diagnosis(tuple(found), tuple(untried)), first_of_each(edits)


def worst(diagnosis: Diagnosis) -> Severity:
    severities = {finding.severity for finding in diagnosis.checks}
    return next((one for one in (Severity.ERROR, Severity.WARNING) if one in severities), Severity.OK)


def first_of_each(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Two checks may want the same key changed: what stands earlier on the path decides."""
    chosen: dict[object, Edit] = {}
    for edit in edits:
        chosen.setdefault((edit.file, edit.keys), edit)
    return tuple(chosen.values())


def _finding(name: str, check: Check, problem: Problem) -> Finding:
    return Finding(
        id=name,
        title=check.title,
        finding=_safe(problem.finding),
        cause=check.cause,
        fix=_safe(problem.fix),
        severity=problem.severity or check.severity,
        source=Source(_safe(problem.source.file), problem.source.line),
    )


def _safe(text: str) -> str:
    """Peers and files wrote much of it: no logins of URLs, nothing that steers a terminal."""
    return printable(str(hide_logins(text)))
