"""A diagnosis on one screen: five lines where nothing is wrong, else what is wrong, why, and what to change.

Texts in it are a peer's or a file's: they are escaped before they reach a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from landline.clients.doctor.finding import Diagnosis, Finding, Severity
from landline.config.display import hide_logins, printable

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.OK: 2}
_MARKS = {Severity.ERROR: "x", Severity.WARNING: "!", Severity.OK: "-"}
SUMMARY = ("client", "gateway", "backend", "cursor_address")  # the checks whose good news are worth a line
LABELS = {"client": "client", "gateway": "pointed at", "backend": "model server", "cursor_address": "for Cursor"}
MOST_NOT_TRIED = 6
MOST_EXPLAINED = 6  # with more, warnings are not explained, so that the errors stay on the screen


def lines(diagnosis: Diagnosis, *, width: int = 100) -> list[str]:
    out = list(_head(diagnosis))
    wrong = sorted(
        (one for one in diagnosis.checks if one.severity is not Severity.OK), key=lambda one: _ORDER[one.severity]
    )
    for finding in wrong:
        brief = len(wrong) > MOST_EXPLAINED and finding.severity is Severity.WARNING
        out += ["", *_shown(finding, width, brief=brief)]
    if wrong:
        out.append("")
    passed = sum(one.severity is Severity.OK for one in diagnosis.checks)
    out.append(_safe(f"{'passed':<14}{passed} checks{_not_tried(diagnosis)}"))
    out.append(_verdict(wrong))
    return out


def _head(diagnosis: Diagnosis) -> Iterator[str]:
    good = {one.id: one for one in diagnosis.checks if one.severity is Severity.OK}
    for name in SUMMARY:
        if name in good:
            yield _safe(f"{LABELS[name]:<14}{good[name].finding}")


def _shown(finding: Finding, width: int, *, brief: bool) -> list[str]:
    """What was seen and where, why it breaks, what to change; a brief one leaves the reason to --json and the page."""
    where = f" ({finding.source})" if str(finding.source) else ""
    out = _wrapped(f"{_MARKS[finding.severity]} {finding.id}: ", f"{finding.finding}{where}", width)
    if not brief:
        out += _wrapped("    ", finding.cause, width)
    return out + _wrapped("    > ", finding.fix, width)


def _not_tried(diagnosis: Diagnosis) -> str:
    names = [one.id for one in diagnosis.not_tried]
    if not names:
        return ""
    more = f" and {len(names) - MOST_NOT_TRIED} more" if len(names) > MOST_NOT_TRIED else ""
    return f"; not tried: {', '.join(names[:MOST_NOT_TRIED])}{more}"


def _verdict(wrong: list[Finding]) -> str:
    errors = sum(one.severity is Severity.ERROR for one in wrong)
    warnings = len(wrong) - errors
    if not wrong:
        return "OK: nothing is wrong."
    counted = [
        f"{number} {word}{'' if number == 1 else 's'}" for number, word in ((errors, "error"), (warnings, "warning"))
    ]
    told = " and ".join(text for text in counted if not text.startswith("0 "))
    return f"{'NOT OK' if errors else 'OK, but fragile'}: {told}."


def _wrapped(head: str, text: str, width: int) -> list[str]:
    """Flags and paths stay whole: they are copied."""
    text = _safe(head + text)
    wrapped = textwrap.wrap(text, width, subsequent_indent="      ", break_on_hyphens=False, break_long_words=False)
    return wrapped or [text]


def _safe(text: str) -> str:
    return printable(str(hide_logins(text)))
