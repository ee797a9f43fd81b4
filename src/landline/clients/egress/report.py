"""What a launch tells of the connections that were tried. Pure: attempts in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from landline.clients.egress.destinations import Destination, Mode
from landline.clients.egress.facts import fact

MOST_DESTINATIONS = 1_000  # kept apart; a client in a loop must not fill the memory
SHOWN_IN_SUMMARY = 4

HOLDS = {
    Mode.OPEN: "not watched",
    Mode.AUDIT: "watched where the client asks the proxy; nothing is refused",
    Mode.PROXY_ONLY: "NOT ENFORCED: what does not ask the proxy is neither seen nor refused",
    Mode.LOCK: "enforced by the kernel: loopback only; what asks the proxy is listed",
}


class Outcome(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class Counted:
    """Attempts to reach one destination, by outcome."""

    allowed: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.allowed + self.refused + self.failed

    @property
    def text(self) -> str:
        parts = [(self.allowed, "allowed"), (self.refused, "refused"), (self.failed, "failed")]
        return ", ".join(f"{number} {name}" for number, name in parts if number)


@dataclass(slots=True, kw_only=True)
class Tried:
    """All attempts of one launch. What stays on this machine is not counted."""

    client: str
    mode: Mode
    by_destination: dict[Destination, Counted] = field(default_factory=dict[Destination, Counted])
    further: int = 0  # attempts that were not told apart any more

    def add(self, to: Destination, outcome: Outcome) -> str:
        """Count one, and say it in a line for those who watch."""
        counted = self.by_destination.get(to)
        if counted is None and len(self.by_destination) >= MOST_DESTINATIONS:
            self.further += 1
        else:
            counted = self.by_destination.setdefault(to, Counted())
            setattr(counted, outcome.value, getattr(counted, outcome.value) + 1)
        known = fact(self.client, to.host)
        return f"{outcome.value:<7}  {to.authority}  {known.purpose}"

    @property
    def attempts(self) -> int:
        return self.further + sum(one.total for one in self.by_destination.values())

    def summary(self) -> str:
        """One line; empty when nothing was tried."""
        if not self.attempts:
            return ""
        hosts: dict[str, int] = {}
        for to, counted in self.by_destination.items():
            hosts[to.host] = hosts.get(to.host, 0) + counted.total
        ordered = sorted(hosts.items(), key=lambda one: (-one[1], one[0]))
        named = ", ".join(f"{host} ({number})" for host, number in ordered[:SHOWN_IN_SUMMARY])
        more = f" and {len(hosts) - SHOWN_IN_SUMMARY} more" if len(hosts) > SHOWN_IN_SUMMARY else ""
        refused = sum(one.refused for one in self.by_destination.values())
        stopped = f", {refused} refused" if refused else ""
        return f"network: {_many(self.attempts, 'attempt')}, {_many(len(hosts), 'host')}{stopped}: {named}{more}"

    def lines(self) -> list[str]:
        """The whole receipt: what the mode holds, then one line for each destination with what it is for."""
        found = [f"network, {self.mode}: {HOLDS[self.mode]}"]
        if self.mode is Mode.OPEN:
            return found
        if not self.attempts:
            return [*found, "  no attempt beside the gateway"]
        rows = list(_ordered(self.by_destination))
        width = max((len(to.authority) for to, _ in rows), default=0)
        for to, counted in rows:
            known = fact(self.client, to.host)
            off = f"; off by: {known.off}" if known.off else ""
            found.append(f"  {to.authority:<{width}}  {counted.text}  {known.purpose}{off}")
        if self.further:
            found.append(f"  and {self.further} more, not told apart")
        return found

    def document(self) -> dict[str, object]:
        """For scripts. `off` is empty where no setting is known."""
        return {
            "client": self.client,
            "mode": self.mode.value,
            "enforced": self.mode is Mode.LOCK,
            "attempts": self.attempts,
            "destinations": [_row(self.client, to, counted) for to, counted in _ordered(self.by_destination)],
            "not_told_apart": self.further,
        }


def _ordered(counted: dict[Destination, Counted]) -> Iterable[tuple[Destination, Counted]]:
    return sorted(counted.items(), key=lambda one: (-one[1].total, one[0]))


def _row(client: str, to: Destination, counted: Counted) -> dict[str, object]:
    known = fact(client, to.host)
    numbers = {"allowed": counted.allowed, "refused": counted.refused, "failed": counted.failed}
    return {"host": to.host, "port": to.port, **numbers, "purpose": known.purpose, "off": known.off}


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def mode_line(mode: Mode, allow: Sequence[str]) -> str:
    """For the receipt before the client starts."""
    if not allow or not mode.refuses:
        return f"{mode}: {HOLDS[mode]}"
    return f"{mode}: {HOLDS[mode]}; allowed: {', '.join(allow)}"
