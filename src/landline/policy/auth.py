"""Who may call the gateway: keys, and the names by which a browser could be tricked into calling it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from landline.errors import ErrorKind, LandlineError

SHOWN_OF_A_KEY, LONG_KEY = 4, 20  # characters: "sk-a" of a key of 20 or more, nothing of a shorter one
_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1", "ip6-localhost")


def presented_keys(authorization: str, api_key: str) -> tuple[str, ...]:
    """The keys a request carries: clients send a bearer token, `x-api-key`, or both."""
    scheme, _, token = authorization.partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return tuple(filter(None, (bearer, api_key.strip())))


def check_key(presented: Iterable[str], allowed: Sequence[str]) -> None:
    """One valid key is enough. No keys configured: everybody who can reach the gateway may. Raises LandlineError."""
    if not allowed:
        return
    found = False
    for key in presented:
        for known in allowed:  # every pair is compared, so that time tells nothing
            found |= hmac.compare_digest(key.encode(), known.encode())
    if not found:
        raise LandlineError(
            ErrorKind.AUTHENTICATION,
            "This gateway needs a key, and the request carries none that it knows.",
            hint="Set ANTHROPIC_AUTH_TOKEN (or the client's API key) to one of the keys in gateway.keys of the "
            "landline.toml that the gateway was started with.",
            final=True,
            check="token_refused",
        )


def owner(presented: Sequence[str], allowed: Sequence[str]) -> str:
    """Whose request it is, for what is kept between requests: a digest of the key that let it in, or that it carries.

    Empty where it carries none.
    """
    key = next((key for key in presented if not allowed or key in allowed), "")
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, person=b"landline").hexdigest()


def key_mark(presented: Sequence[str]) -> str:
    """What a log may tell of keys that were refused: enough to see whose it is, too little to be of use."""
    if not presented:
        return "no key"
    key = presented[0]
    return f"a key that begins with {key[:SHOWN_OF_A_KEY]!r}" if len(key) >= LONG_KEY else "a short key"


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, can only mean this machine."""
    name = host.strip("[]").lower().rstrip(".")
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_host(host_header: str, origin: str, *, own_names: Sequence[str], keyed: bool) -> None:
    """Refuses what a web page of somebody else's could send: a foreign Host (DNS rebinding) or Origin.

    `own_names` are the configured names and addresses. With keys, an address as Host is fine: a page cannot know a key.
    """
    name = _host_name(host_header)
    if not (is_loopback(name) or name in own_names or (keyed and _is_address(name))):
        raise LandlineError(
            ErrorKind.FORBIDDEN,
            f"The gateway is not known by the name {name[:80]!r} (Host header).",
            hint="Call it by its address, or add the name to gateway.hosts in landline.toml.",
        )
    if origin and origin != "null" and not _is_own_origin(origin, own_names):
        raise LandlineError(ErrorKind.FORBIDDEN, f"Requests from web pages ({origin[:80]}) are refused.")
    if origin == "null":
        raise LandlineError(ErrorKind.FORBIDDEN, "Requests from web pages without an origin are refused.")


def _is_own_origin(origin: str, own_names: Sequence[str]) -> bool:
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name in own_names


def _host_name(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if header.count(":") == 1 else header.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
