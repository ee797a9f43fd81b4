"""The environment variables by which programs find a proxy: the user's own, and those that lead to ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from landline.clients.egress.destinations import Destination, destination

NO_PROXY = ("NO_PROXY", "no_proxy")
HTTPS, HTTP, ALL = ("HTTPS_PROXY", "https_proxy"), ("HTTP_PROXY", "http_proxy"), ("ALL_PROXY", "all_proxy")
PROXIES = (*HTTPS, *HTTP, *ALL)
# Node.js asks for this before its own fetch looks at the others (22.21, 24.5 and newer).
NODE = "NODE_USE_ENV_PROXY"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class UsersProxy:
    """A proxy of the user's own. `credential` is `user:password`, empty where it wants none."""

    at: Destination
    tls: bool = False
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersProxies:
    """What the user's environment says; `unusable` names a variable whose proxy ours cannot go through."""

    https: UsersProxy | None = None
    http: UsersProxy | None = None
    exceptions: tuple[str, ...] = ()
    unusable: str = ""

    def towards(self, asked: Destination, *, tunnel: bool) -> UsersProxy | None:
        """The proxy for that destination; None: straight."""
        if asked.is_local or any(_excepts(entry, asked) for entry in self.exceptions):
            return None
        return self.https if tunnel else self.http

    @property
    def has_credential(self) -> bool:
        return any(one is not None and one.credential for one in (self.https, self.http))


def users_proxies(environ: Mapping[str, str]) -> UsersProxies:
    """The lower-case spelling counts where both are set, as for most programs."""
    found: list[UsersProxy | None] = []
    unusable = ""
    for names in ((*HTTPS, *ALL), (*HTTP, *ALL)):
        name, text = _first(environ, names)
        one = _users_proxy(text) if text else None
        unusable = unusable or (name if text and one is None else "")
        found.append(one)
    text = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    entries = tuple(entry.strip().lower() for entry in text.split(",") if entry.strip())
    return UsersProxies(https=found[0], http=found[1], exceptions=entries, unusable=unusable)


def _first(environ: Mapping[str, str], names: Sequence[str]) -> tuple[str, str]:
    for upper, lower in zip(names[::2], names[1::2], strict=True):
        for name in (lower, upper):
            if environ.get(name):
                return name, environ[name]
    return "", ""


def _users_proxy(text: str) -> UsersProxy | None:
    """`http://user:password@host:port`, also without the scheme; None for SOCKS and what is no address."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    at = destination(f"{host}:{port or default}")
    if at is None:
        return None
    credential = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else ""
    return UsersProxy(at, tls=parts.scheme == "https", credential=credential)


def _excepts(entry: str, asked: Destination) -> bool:
    """Whether an entry of NO_PROXY covers a host: `*`, a name and all below it, an address, a network, with a port."""
    if entry == "*":
        return True
    if "/" in entry:
        return _in_network(entry, asked.host)
    bare = entry.removeprefix("*").removeprefix(".")
    whole = f"[{bare}]" if bare.count(":") > 1 and not bare.startswith("[") else bare
    named = destination(whole, default_port=asked.port)
    return named is not None and named.port == asked.port and f".{asked.host}".endswith(f".{named.host}")


def _in_network(entry: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False


def leading_to(port: int, *, credential: str = "", exceptions: Sequence[str] = ()) -> dict[str, str]:
    """Variables that send every program to the proxy on that port of loopback, and keep this machine out of it."""
    user = f"{credential}@" if credential else ""
    kept = ",".join(dict.fromkeys([*exceptions, *LOOPBACK]))
    proxies = dict.fromkeys(PROXIES, f"http://{user}127.0.0.1:{port}")
    return proxies | dict.fromkeys(NO_PROXY, kept) | {NODE: "1"}
