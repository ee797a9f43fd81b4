"""What stands between Cursor and a gateway: its cloud calls the base URL, not the user's machine. Pure.

Known from documentation and reports only. Its own settings lie in a database that no file of ours reads: what is judged
is the address that it is to be given, and our gateway's settings.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from msgspec import Struct

from landline.clients.doctor.catalogue import CURSOR_CHECKS
from landline.clients.doctor.diagnosing import judged
from landline.clients.doctor.finding import Diagnosis, Outcome, Passed, Problem, Severity, Skipped
from landline.clients.remote_gateway import own_address
from landline.config.settings import Gateway, Settings
from landline.policy.auth import LONG_KEY, is_loopback

GUIDE = "docs/guides/cursor.md"
# Of names that no public server resolves: RFC 6762, 8375, 6761, and what routers make up.
PRIVATE_SUFFIXES = (".local", ".localhost", ".home.arpa", ".internal", ".lan", ".home", ".intranet", ".test")
_WAYS = (
    "lead a tunnel (cloudflared, Tailscale Funnel) or a reverse proxy with a public https name to the gateway, or give "
    "it a certificate for such a name (gateway.tls_certificate, gateway.tls_key)"
)


class Setup(Struct, frozen=True):
    """`url` is what Cursor's cloud would call, without /v1."""

    url: str
    gateway: Gateway

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


def diagnose(settings: Settings, *, url: str = "") -> Diagnosis:
    """`url`: the address that was named; else the one that these settings make likely."""
    diagnosis, _ = judged(CURSOR_CHECKS, FUNCTIONS, Setup(url or likely_address(settings), settings.gateway))
    return diagnosis


def likely_address(settings: Settings) -> str:
    """A gateway with a further name and no certificate has somebody before it who has one."""
    gateway = settings.gateway
    if gateway.scheme == "http" and gateway.hosts:
        return f"https://{gateway.hosts[0]}"
    return own_address(settings)


def address(setup: Setup) -> Outcome:
    why = unreachable(setup.host)
    if not why:
        return Passed(f"{setup.url}/v1 as its OpenAI base URL")
    return [
        Problem(
            finding=f"{setup.url} is {why}, and Cursor's cloud calls the base URL, not your machine",
            fix=f"{_WAYS}; put that name into gateway.hosts: {GUIDE}",
        )
    ]


def https(setup: Setup) -> Outcome:
    if setup.url.startswith("https://"):
        return Passed("https")
    return [Problem(finding=f"{setup.url} is plain http", fix=f"{_WAYS}: {GUIDE}")]


def keys(setup: Setup) -> Outcome:
    advice = "set gateway.keys to a long random text (`openssl rand -hex 32` makes one), the same as Cursor's API key"
    if not setup.gateway.keys:
        return [Problem(finding="gateway.keys is empty: whoever learns the name can use your model", fix=advice)]
    if min(map(len, setup.gateway.keys)) < LONG_KEY:
        short = f"a key of gateway.keys is shorter than {LONG_KEY} characters"
        return [Problem(finding=short, fix=advice, severity=Severity.WARNING)]
    return Passed("the gateway wants a key")


def name(setup: Setup) -> Outcome:
    if unreachable(setup.host):
        return Skipped("the address is none that Cursor's cloud reaches")
    if setup.host in setup.gateway.hosts:
        return Passed(f"{setup.host} is in gateway.hosts")
    return [
        Problem(
            finding=f"gateway.hosts does not have {setup.host}",
            fix=f'set hosts = ["{setup.host}"] under [gateway] in landline.toml',
        )
    ]


FUNCTIONS = {"cursor_address": address, "cursor_https": https, "cursor_keys": keys, "cursor_name": name}


def unreachable(host: str) -> str:
    """What a host is that nobody outside can call; empty for one that looks public."""
    if is_loopback(host) or host in {"0.0.0.0", "::"}:  # noqa: S104 - an address that somebody wrote down
        return "this machine itself"
    try:
        return "" if ipaddress.ip_address(host).is_global else "an address of your own network"
    except ValueError:
        private = "." not in host.rstrip(".") or host.rstrip(".").lower().endswith(PRIVATE_SUFFIXES)
        return "a name that only your own network knows" if private else ""
