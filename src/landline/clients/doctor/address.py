"""Where the client is pointed: its base URL, other services, proxies, and the gateway that answers there."""

from __future__ import annotations

from urllib.parse import urlsplit

from landline import __version__
from landline.clients.claude_code import LOOPBACK_NAMES, NO_PROXY_NAMES, is_loopback
from landline.clients.doctor.edits import remove_everywhere, set_where_it_stands
from landline.clients.doctor.finding import Outcome, Passed, Problem, Severity, Skipped, Source
from landline.clients.doctor.settings_in_force import SettingsInForce
from landline.clients.doctor.state import Place, State, is_url
from landline.clients.remote_gateway import CERTIFICATE_HINT
from landline.config.display import hide_logins
from landline.upstream.backend import base_url as without_endpoint

BASE_URL = "ANTHROPIC_BASE_URL"
PROVIDERS = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
)
OFF = frozenset({"", "0", "false", "no", "off"})
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def base_url(state: State) -> Outcome:
    value = state.settings.value(BASE_URL)
    wanted = state.better or state.gateway.url
    edits = set_where_it_stands(state.settings, BASE_URL, wanted)
    if value is None:
        return [
            Problem(
                finding=f"{BASE_URL} is set in no file and not in the shell",
                fix=f"set it to {wanted}, or start the client with `landline launch claude`",
                source=edits.source,
                edits=edits.edits,
            )
        ]
    if not is_url(value.text):
        shown = "a placeholder" if is_placeholder(value.text) else str(hide_logins(value.text[:80]))
        fix = f"set it to {wanted}"
        return [Problem(finding=f"{BASE_URL} is no URL: {shown}", fix=fix, source=value.source, edits=edits.edits)]
    pointed_at = state.pointed_at
    if state.named_gateway and pointed_at is not None and pointed_at.url != state.named_gateway:
        return [
            Problem(
                finding=f"{BASE_URL} leads to {pointed_at.url}, not to the gateway {state.named_gateway}",
                fix=f"set it to {state.named_gateway}",
                source=value.source,
                severity=Severity.ERROR if not pointed_at.answers else Severity.WARNING,
                edits=edits.edits if state.gateway.is_landline else (),
            )
        ]
    alone = "; an editor's extension does not see it there" if value.path is None else ""
    return Passed(f"{value.text} ({value.source}{alone})")


def base_url_path(state: State) -> Outcome:
    value, pointed_at = state.settings.value(BASE_URL), state.pointed_at
    if value is None or pointed_at is None:
        return Skipped("the client has no address")
    text = value.text.rstrip("/")
    if text == pointed_at.url or urlsplit(text).path in {"", "/"}:
        return Passed("no path")
    path = urlsplit(text).path
    works = pointed_at.is_landline and state.asked.status in {0, 200}
    tail = "; landline serves it all the same" if works else f"; the client asks for {path}/v1/messages"
    edits = set_where_it_stands(state.settings, BASE_URL, pointed_at.url)
    return [
        Problem(
            finding=f"{BASE_URL} ends in {path}{tail}",
            fix=f"leave the path away: {pointed_at.url}",
            source=value.source,
            severity=Severity.WARNING if works else None,
            edits=edits.edits,
        )
    ]


def other_provider(state: State) -> Outcome:
    found: list[Problem] = []
    for name in PROVIDERS:
        value = state.settings.value(name)
        if value is None or value.text.strip().lower() in OFF:
            continue
        found.append(
            Problem(
                finding=f"{name} is set",
                fix=f"remove {name}",
                source=value.source,
                edits=remove_everywhere(state.settings, name),
            )
        )
    return found or Passed("nothing else is set")


def proxy(state: State) -> Outcome:
    settings = state.settings
    text = settings.text(BASE_URL)
    host = (urlsplit(text).hostname or "") if is_url(text) else (urlsplit(state.gateway.url).hostname or "")
    if not is_loopback(host):
        return Passed("the gateway is on another machine")
    caught = next((value for name in PROXIES if (value := settings.value(name)) is not None), None)
    if caught is None:
        return Passed("no proxy is set")
    if is_excepted(host, settings):
        return Passed("NO_PROXY names loopback")
    name = next(name for name in PROXIES if settings.value(name) is not None)
    kept = [entry.strip() for one in NO_PROXY_NAMES for entry in settings.text(one).split(",") if entry.strip()]
    exceptions = ",".join(dict.fromkeys([*kept, *LOOPBACK_NAMES]))
    edits = [edit for one in NO_PROXY_NAMES for edit in set_where_it_stands(settings, one, exceptions).edits]
    return [
        Problem(
            finding=f"{name} is set and NO_PROXY does not name {host}",
            fix=f"set NO_PROXY and no_proxy to {exceptions}",
            source=caught.source,
            edits=tuple(edits),
        )
    ]


def is_excepted(host: str, settings: SettingsInForce) -> bool:
    """Whether the proxy is passed over for a host. Where both spellings are set the lower-case one counts."""
    text = settings.text("no_proxy") or settings.text("NO_PROXY")
    entries = {_without_port(entry.strip().lower()) for entry in text.replace(" ", ",").split(",")}
    return bool(entries & {"*", host.lower(), f"[{host.lower()}]"})


def _without_port(entry: str) -> str:
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def gateway(state: State) -> Outcome:
    place = state.target
    if place.answers:
        name = f"landline {place.version}" if place.is_landline else "a server that is not landline"
        if not place.is_landline and place.status != 200:
            return [_stranger(state, place)]
        if place.is_landline and place.status == 200 and not place.models and not place.not_ready:
            return [_empty(place)]
        return Passed(f"{name} at {place.url}")
    if state.better:
        edits = set_where_it_stands(state.settings, BASE_URL, state.better).edits
        fix = f"landline answers at {state.better}: set {BASE_URL} to that"
    else:
        edits, fix = (), "start it with `landline serve`, or name its address with --gateway URL"
        fix += f". If it runs, look at its certificate. {CERTIFICATE_HINT}" if place.url.startswith("https://") else ""
    return [Problem(finding=_sentence(place.problem), fix=fix, source=_source(state), edits=edits)]


def _stranger(state: State, place: Place) -> Problem:
    status = f"HTTP {place.status}" if place.status else "no HTTP that can be read"
    edits = set_where_it_stands(state.settings, BASE_URL, state.better).edits if state.better else ()
    return Problem(
        finding=f"{place.url} is neither landline nor a model server: its list of models is {status}",
        fix="set the address of the gateway; `landline serve` prints it",
        source=_source(state),
        severity=Severity.WARNING if state.asked.status == 200 else None,
        edits=edits,
    )


def _empty(place: Place) -> Problem:
    return Problem(
        finding=f"landline at {place.url} lists no model that can be named",
        fix="see its log, and its backend's list of models",
        source=Source(place.url),
        severity=Severity.WARNING,
    )


def gateway_version(state: State) -> Outcome:
    place = state.target
    if not place.is_landline:
        return Skipped("landline does not answer there")
    if place.version == __version__:
        return Passed(place.version)
    return [
        Problem(
            finding=f"landline {place.version} runs at {place.url}, and this is {__version__}",
            fix="stop it and start it again",
            source=Source(place.url),
        )
    ]


def gateway_missing(state: State) -> Outcome:
    place = state.target
    if not place.answers:
        return Skipped("nothing answers there")
    if place.is_landline:
        return Passed(f"landline {place.version}")
    server = without_endpoint(place.url)
    return [
        Problem(
            finding=f"{place.url} is not landline",
            fix=f"run `landline serve --backend {server}` and point the client at it, or `landline launch claude "
            f"--backend {server}`",
            source=_source(state),
        )
    ]


def is_placeholder(text: str) -> bool:
    """What guides and switchers leave to be filled in."""
    plain = text.strip().lower()
    marks = ("your_", "your-", "please_", "changeme", "change_me", "<", "...", "xxx", "placeholder", "todo")
    return any(plain.startswith(mark) for mark in marks) or plain.endswith(("_here", "-here", ">"))


def _source(state: State) -> Source:
    """Where the address comes from, or the address itself."""
    value = state.settings.value(BASE_URL)
    return value.source if value is not None and state.pointed_at is not None else Source(state.target.url)


def _sentence(text: str) -> str:
    return text.rstrip(".")
