"""What a probe is, what it is given, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from msgspec import Struct

from landline.clients.checking.asking import Asker
from landline.clients.checking.causes import Cause, Fault
from landline.clients.checking.direct import DirectAsker
from landline.clients.checking.mends import Parsers
from landline.upstream.dialects import BackendKind


class Server(Struct, frozen=True, kw_only=True):
    """What is known without asking the model. `window` 0: not told; `images` None: not told."""

    url: str
    kind: BackendKind
    version: str = ""
    model: str
    window: int = 0
    family: str = ""  # its row; empty: none matched
    parsers: Parsers = Parsers()
    images: bool | None = None
    tool_choice: bool = True  # whether the kind of server has the field
    tools_in_words: bool = False  # its template has no place for tools


class Finding(Struct, frozen=True):
    """`passed` None: not tried, and `detail` says why."""

    passed: bool | None
    detail: str
    fault: Fault | None = None


@dataclass(slots=True)
class Bench:
    """`direct` None: the backend cannot be asked itself, and `no_direct` says why. `figures` is filled by probes."""

    asker: Asker
    server: Server
    direct: DirectAsker | None = None
    no_direct: str = ""
    figures: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Probe:
    """`patience` multiplies the time limit; a `heavy` one is left out of a quick check."""

    id: str
    title: str
    run: Callable[[Bench], Awaitable[Finding]]
    patience: float = 1
    heavy: bool = False


def passed(detail: str) -> Finding:
    return Finding(True, detail)


def skipped(reason: str) -> Finding:
    return Finding(None, reason)


def failed(fault: Fault) -> Finding:
    return Finding(False, fault.detail, fault)


def fails(cause: Cause, detail: str) -> Finding:
    return failed(Fault(cause, detail))
