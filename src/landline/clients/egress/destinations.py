"""Where a connection would go, and whether it may. Pure: no name is resolved here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from landline.errors import SettingsError

LONGEST_HOST = 253  # of a name, by the DNS's own limit
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_LOCAL_NAMES = ("localhost", "ip6-localhost")
HTTP_PORT, HTTPS_PORT, LAST_PORT = 80, 443, 65_535


class Mode(StrEnum):
    """How much of the client's own traffic is seen and stopped."""

    OPEN = "open"
    AUDIT = "audit"
    PROXY_ONLY = "proxy-only"
    LOCK = "lock"

    @property
    def refuses(self) -> bool:
        return self in {Mode.PROXY_ONLY, Mode.LOCK}


class Verdict(StrEnum):
    GATEWAY = "gateway"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """`host` in lower case, without a dot at its end and without brackets. Made by `destination`."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether the words themselves name this machine; a name may still resolve to it."""
        if self.host in _LOCAL_NAMES or self.host.endswith(".localhost"):
            return True
        address = _address(self.host)
        return address is not None and address.is_loopback


def destination(authority: str, *, default_port: int = 0) -> Destination | None:
    """`host:port`, `[::1]:port` or, with a default port, a host alone; None for anything else."""
    host, port = _split(authority)
    number = _port(port) if port is not None else default_port
    if not 0 < number <= LAST_PORT:
        return None
    known = _host(host)
    return Destination(known, number) if known else None


def _split(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        host, closed, rest = authority[1:].partition("]")
        if not closed or ":" not in host or (rest and not rest.startswith(":")):
            return "", None
        return host, rest[1:] if rest else None
    host, colon, port = authority.rpartition(":")
    if not colon:
        return authority, None
    return ("", None) if ":" in host else (host, port)


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0


def _host(text: str) -> str:
    """As names are compared; empty for what is none. `%zone` of an IPv6 address is refused: it names an interface."""
    name = text.lower().removesuffix(".")
    if ":" in name:
        address = _address(name)
        return str(address) if isinstance(address, IPv6Address) and "%" not in name else ""
    return name if len(name) <= LONGEST_HOST and _NAME.fullmatch(name) else ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the allow list: a host, or with `below` a domain and all names under it; port 0: any."""

    host: str
    port: int = 0
    below: bool = False

    def covers(self, asked: Destination) -> bool:
        if self.port not in {0, asked.port}:
            return False
        return asked.host == self.host or (self.below and asked.host.endswith(f".{self.host}"))


def rules(entries: Sequence[str]) -> tuple[Rule, ...]:
    """`host`, `host:port`, `.domain` or `*.domain`. Raises SettingsError for what is none of these."""
    return tuple(_rule(entry.strip()) for entry in entries)


def _rule(entry: str) -> Rule:
    bare = entry.removeprefix("*").removeprefix(".")
    whole = f"[{bare}]" if bare.count(":") > 1 and not bare.startswith("[") else bare
    found = destination(whole, default_port=HTTPS_PORT)
    if found is None:
        raise SettingsError(
            f"{entry!r} is no host for --egress-allow.",
            hint="Write a host (example.org), one with a port (example.org:443), or a domain with all below it "
            "(.example.org).",
        )
    named_port = _split(whole)[1] is not None
    return Rule(found.host, found.port if named_port else 0, below=bare != entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What holds for one launch."""

    mode: Mode
    gateway: Destination
    allow: tuple[Rule, ...] = ()

    def judge(self, asked: Destination) -> Verdict:
        if self.is_gateway(asked):
            return Verdict.GATEWAY
        if self.mode.refuses and not any(rule.covers(asked) for rule in self.allow):
            return Verdict.REFUSED
        return Verdict.ALLOWED

    def is_gateway(self, asked: Destination) -> bool:
        if asked.port != self.gateway.port:
            return False
        return asked.host == self.gateway.host or (asked.is_local and self.gateway.is_local)

    def may_reach(self, asked: Destination, address: str) -> bool:
        """Whether what a name resolved to may be connected to. A name on the allow list must not lead back to this
        machine, or to the address where clouds keep credentials, unless it says so itself."""
        if not self.mode.refuses or self.is_gateway(asked):
            return True
        found = _address(address.partition("%")[0])
        if found is None:
            return False
        within = found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast
        return not within or _address(asked.host) == found
