"""One launch and its network: the proxy or the namespace that its client is put behind, from plan to receipt."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from landline.clients.child import run_client
from landline.clients.egress import lock
from landline.clients.egress.destinations import HTTP_PORT, HTTPS_PORT, Destination, Law, Mode, destination, rules
from landline.clients.egress.proxy import Proxy
from landline.clients.egress.relay import BACKLOG, forwarding
from landline.clients.egress.report import Tried
from landline.clients.egress.sockets import without_sockets
from landline.clients.egress.variables import UsersProxies, leading_to, users_proxies
from landline.errors import SettingsError

_LOCKED_PROXY_PORT = 3128  # nobody else listens in the namespace; another one where the gateway has this


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is known before anything is started. `note` says what was wished and cannot be; `environ` is the user's."""

    client: str
    mode: Mode
    allow: tuple[str, ...] = ()
    proxies: UsersProxies = field(default_factory=UsersProxies)
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    note: str = ""


def planned(client: str, mode: Mode, *, allow: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """`environ` as the client would have it, for a proxy of the user's own. Raises SettingsError."""
    rules(allow)
    if allow and not mode.refuses:
        raise SettingsError(
            "--egress-allow is for modes that refuse.", hint="Add --egress proxy-only or --egress lock."
        )
    proxies = users_proxies(environ)
    plan = Plan(client=client, mode=mode, allow=tuple(allow), proxies=proxies, environ=environ)
    if not proxies.unusable or (mode.refuses and not allow) or mode is Mode.OPEN:
        return plan
    why = f"landline's proxy cannot go through the one in {proxies.unusable} (it can through http:// and https://)"
    if mode is Mode.AUDIT:
        return replace(plan, mode=Mode.OPEN, note=f"not watched: {why}")
    raise SettingsError(f"--egress-allow: {why}.", hint=f"Leave out --egress-allow, or unset {proxies.unusable}.")


def gateway_of(base_url: str) -> Destination:
    parts = urlsplit(base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    found = destination(f"{host}:{parts.port or (HTTPS_PORT if parts.scheme == 'https' else HTTP_PORT)}")
    if found is None:
        raise SettingsError(f"{base_url} is no address of a gateway.", hint="Write http://HOST:PORT.")
    return found


def check_lock(plan: Plan, *, base_url: str, cwd: Path, keep: Sequence[Path]) -> None:
    """Whether this machine can hold the lock, by trying. Raises SettingsError."""
    if plan.mode is not Mode.LOCK:
        return
    if not gateway_of(base_url).is_local:
        raise SettingsError(
            "--egress lock needs a gateway on this machine.",
            hint="Leave out --gateway and name the model server with --backend: landline asks it from outside.",
        )
    lock.check(lock.Cell(listen=[("127.0.0.1", _LOCKED_PROXY_PORT)], cwd=cwd, keep=keep))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An open line. `forced` must reach the client, whatever its own files say."""

    plan: Plan
    proxy: Proxy
    forced: Mapping[str, str]
    keep: Sequence[Path] = ()

    @property
    def tried(self) -> Tried:
        return self.proxy.tried

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What the client may inherit."""
        return without_sockets(environ) if self.plan.mode is Mode.LOCK else dict(environ)

    async def run(self, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path, home: Path) -> int:
        """The client to its end, in our terminal; its exit code."""
        if self.plan.mode is not Mode.LOCK:
            return await run_client(argv, env, cwd=cwd)
        listen = [*lock.inside_addresses(self.proxy.law.gateway), ("127.0.0.1", _locked_port(self.proxy.law.gateway))]
        hide = lock.hidden_paths(self.plan.environ, home)
        cell = lock.Cell(listen=listen, cwd=cwd, keep=self.keep, hide=hide, argv=argv, env=env)
        return await lock.run_locked(cell, self._answering)

    @contextlib.asynccontextmanager
    async def _answering(self, listeners: list[socket.socket]) -> AsyncGenerator[None]:
        to_gateway, to_proxy = listeners
        async with forwarding(to_gateway, self.proxy.law.gateway), self.proxy.serve(to_proxy):
            yield


@contextlib.asynccontextmanager
async def opened(
    plan: Plan, *, base_url: str, keep: Sequence[Path], tell: Callable[[str], None]
) -> AsyncGenerator[Line]:
    """`keep`: paths that the client needs. `tell` is called for each attempt."""
    gateway = gateway_of(base_url)
    law = Law(mode=plan.mode, gateway=gateway, allow=rules(plan.allow))
    # Other users of this machine could else spend a password that the user's own proxy gets from us.
    credential = f"landline:{secrets.token_urlsafe(16)}" if plan.proxies.has_credential else ""
    tried = Tried(client=plan.client, mode=plan.mode)
    proxy = Proxy(law=law, tried=tried, proxies=plan.proxies, credential=credential, tell=tell)
    direct = plan.proxies.towards(gateway, tunnel=base_url.startswith("https:")) is None
    exceptions = [gateway.host] if direct else []
    if plan.mode is Mode.OPEN:
        yield Line(plan=plan, proxy=proxy, forced={}, keep=keep)
    elif plan.mode is Mode.LOCK:
        forced = leading_to(_locked_port(gateway), credential=credential, exceptions=exceptions)
        yield Line(plan=plan, proxy=proxy, forced=forced, keep=keep)
    else:
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        port = listener.getsockname()[1]
        async with proxy.serve(listener):
            forced = leading_to(port, credential=credential, exceptions=exceptions)
            yield Line(plan=plan, proxy=proxy, forced=forced, keep=keep)


def _locked_port(gateway: Destination) -> int:
    return _LOCKED_PROXY_PORT + (gateway.port == _LOCKED_PROXY_PORT)
