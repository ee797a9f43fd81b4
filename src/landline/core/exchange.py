"""The record of one request: what was asked, served, changed, dropped, and how it ended.

Everything shown about a request (log line, response headers, receipts) is read from here.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from landline.core.model import Usage
from landline.core.prefix import PrefixReport


class Outcome(StrEnum):
    OPEN = "open"
    COMPLETED = "completed"
    REFUSED = "refused"  # answered with an error of ours or of the backend, before the first byte
    FAILED = "failed"  # the backend failed after the stream had begun
    CLIENT_CLOSED = "client_closed"


MOST_NOTES = 64  # of each sort
LONGEST_NOTE = 500  # characters
AND_MORE = "and more, not listed"
LONGEST_NAME = 128
MOST_CALLS = 16  # repairs of calls that are kept with their texts


class MendedCall(Struct, frozen=True, gc=False):
    """One repair of a tool call: of its name, of one argument, or (`what` is WHOLE_CALL) all that was done to it.

    `before` and `after` are words of the model, LONGEST_NOTE characters at most from around the first difference. They
    are for whoever looks into the record itself, and never leave with a log or a page.
    """

    tool: str
    what: str
    before: str
    after: str


WHOLE_CALL = "arguments"


class Notes(Struct):
    """What landline did to a request or an answer, in words; each text once, in order of appearance.

    Bounded: some texts name what a client wrote, and records outlive their requests.
    `alerts` are what it can only explain: something is wrong with the backend or the model, and what to change.
    """

    repairs: list[str] = field(default_factory=list[str])
    dropped: list[str] = field(default_factory=list[str])
    alerts: list[str] = field(default_factory=list[str])
    calls: list[MendedCall] = field(default_factory=list[MendedCall])

    def add(self, other: Notes) -> None:
        """What another has told, behind what this one did."""
        for what in other.repairs:
            self.repaired(what)
        for what in other.dropped:
            self.drop(what)
        for what in other.alerts:
            self.alert(what)

    def mended(self, tool: str, what: str, *, before: str, after: str) -> None:
        """A repair of a call: what and which tool, for everybody; the texts for `calls`."""
        if what != WHOLE_CALL:
            self.repaired(f"{what}: {tool[:LONGEST_NAME]}")
        if len(self.calls) < MOST_CALLS:
            at = _difference(before, after)
            self.calls.append(MendedCall(tool[:LONGEST_NAME], what, _around(before, at), _around(after, at)))

    def repaired(self, what: str) -> None:
        _note(self.repairs, what)

    def drop(self, what: str) -> None:
        _note(self.dropped, what)

    def alert(self, what: str) -> None:
        _note(self.alerts, what)


def _difference(one: str, other: str) -> int:
    """Where two texts begin to differ."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _around(text: str, at: int) -> str:
    begin = 0 if len(text) <= LONGEST_NOTE else max(0, min(at - LONGEST_NOTE // 4, len(text) - LONGEST_NOTE))
    return text[begin : begin + LONGEST_NOTE]


def _note(notes: list[str], what: str) -> None:
    what = what[:LONGEST_NOTE]
    if what not in notes and len(notes) <= MOST_NOTES:
        notes.append(what if len(notes) < MOST_NOTES else AND_MORE)


class Exchange(Struct, kw_only=True):
    """One request, from its arrival until it is settled. Times are seconds since arrival."""

    id: str
    path: str
    warning: str = ""  # what the user should change, though it worked
    stranger: str = ""  # of a login that failed: its address, and the beginning of its key at most
    client: str = ""
    session: str = ""
    agent: str = ""
    model_asked: str = ""
    model_served: str = ""
    route: str = ""  # the rule that chose the served model
    backend: str = ""  # address of the server that was chosen
    stream: bool = False
    side: bool = False  # a call beside the conversation, such as one for its title
    status: int = 0
    outcome: Outcome = Outcome.OPEN
    error: str = ""  # as the client was told
    error_logged: str = ""  # the same without the words of others: what a log may hold
    started_at: float = 0.0  # seconds since the epoch
    headers_s: float | None = None  # until the backend's headers
    ttft_s: float | None = None  # until the first event of the answer left
    total_s: float | None = None
    waited_s: float = 0.0  # of ttft_s, the time in which the backend was waited for
    backend_requests: int = 0
    usage: Usage | None = None
    prefix: PrefixReport | None = None  # against the turn before; None without one
    cache: str = ""  # what the backend's prefix cache did with what could be shared
    cache_salt: str = ""  # keeps the cache of the client's key apart; never shown
    owner: str = ""  # a digest of the client's key, for what is kept; never shown
    largest: tuple[tuple[str, int], ...] = ()  # of a first request that hardly fits: its heaviest parts, in tokens
    repeats_of: str = ""  # the id of the request that this one repeats without saying so
    repeat_cause: str = ""  # why that one ended for its client
    notes: Notes = field(default_factory=Notes)

    @property
    def overhead_s(self) -> float | None:
        """What landline took of the time until the answer left, or its first event did; None where nobody was asked."""
        return max(self.ttft_s - self.waited_s, 0.0) if self.ttft_s is not None and self.backend_requests else None
