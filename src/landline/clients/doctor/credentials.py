"""Who the client says it is: a token, a key, both, none, one that is refused. Shows no value."""

from __future__ import annotations

from landline.clients.doctor.address import is_placeholder
from landline.clients.doctor.edits import MANAGED_NOTE, remove_everywhere, remove_key, set_where_it_stands
from landline.clients.doctor.finding import Edit, Outcome, Passed, Problem, Severity, Skipped
from landline.clients.doctor.settings_in_force import Value
from landline.clients.doctor.state import State

TOKEN, KEY, HELPER = "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "apiKeyHelper"
ANY_TOKEN = "landline"  # noqa: S105 - a gateway without keys takes any; the client insists on one
KEY_SOURCES = (KEY, HELPER)


def token(state: State) -> Outcome:
    value = state.settings.value(TOKEN)
    if value is not None:
        if is_placeholder(value.text):
            return [
                Problem(
                    finding=f"{TOKEN} is a placeholder that was never filled in",
                    fix="set it to a key of the gateway; to one on loopback without keys any word will do",
                    source=value.source,
                    severity=Severity.WARNING,
                    edits=_token_edits(state),
                )
            ]
        return Passed(f"[set] ({value.source})")
    if _key(state) is not None:
        return Passed("none, but a key: see the next check")
    if state.settings.logged_in:  # measured: 197 and 329 then send its access token to any base URL
        return [
            Problem(
                finding=f"{TOKEN} is not set, so the access token of the login with the client's vendor is sent to "
                f"{state.target.url}",
                fix=f"set {TOKEN}: to a key of the gateway, or to any word where it has none",
                source=set_where_it_stands(state.settings, TOKEN, "").source,
                severity=Severity.WARNING,
                edits=_token_edits(state),
            )
        ]
    return [
        Problem(
            finding=f"neither {TOKEN} nor {KEY} is set",
            fix=f"set {TOKEN}: to a key of the gateway, or to any word where it has none",
            source=set_where_it_stands(state.settings, TOKEN, "").source,
            edits=_token_edits(state),
        )
    ]


def key_without_token(state: State) -> Outcome:
    value = _key(state)
    if value is None or state.settings.value(TOKEN) is not None:
        return Passed("a token")
    name = KEY if state.settings.value(KEY) is not None else HELPER
    return [
        Problem(
            finding=f"{name} is set, {TOKEN} is not",
            fix=f"set {TOKEN} in its place and remove {name}",
            source=value.source,
            edits=(*_moved(state), *_removed(state)),
        )
    ]


def key_beside_token(state: State) -> Outcome:
    value = _key(state)
    if value is None or state.settings.value(TOKEN) is None:
        return Passed("one")
    names = [name for name in KEY_SOURCES if _set(state, name)]
    edits = _removed(state)
    return [
        Problem(
            finding=f"{TOKEN} and {' and '.join(names)} are set",
            fix=f"remove {' and '.join(names)}" + ("" if edits else f": {MANAGED_NOTE}"),
            source=value.source,
            edits=edits,
        )
    ]


def token_refused(state: State) -> Outcome:
    status = state.asked.status
    if status == 0:
        return Skipped("no request could be made")
    if status not in {401, 403}:
        return Passed(f"HTTP {status}")
    value = state.settings.value(TOKEN) or _key(state)
    known = bool(state.gateway_key) and (value is None or value.text != state.gateway_key)
    where = f" ({value.source})" if value else ""
    return [
        Problem(
            finding=f"HTTP {status} for the credential of the client{where}: {state.asked.problem}",
            fix=f"set {TOKEN} to a key of the gateway" + (" (gateway.keys in landline.toml)" if known else ""),
            source=set_where_it_stands(state.settings, TOKEN, "").source,
            edits=_token_edits(state) if known else (),
        )
    ]


def _key(state: State) -> Value | None:
    return state.settings.value(KEY) or state.settings.key(HELPER)


def _set(state: State, name: str) -> bool:
    return (state.settings.key(name) if name == HELPER else state.settings.value(name)) is not None


def _token_edits(state: State) -> tuple[Edit, ...]:
    return set_where_it_stands(state.settings, TOKEN, _wanted(state)).edits


def _moved(state: State) -> tuple[Edit, ...]:
    """The key as the token: a server took it so far. A helper's output is not known here."""
    key = state.settings.value(KEY)
    text = key.text if key is not None and not state.gateway_key else _wanted(state)
    return set_where_it_stands(state.settings, TOKEN, text).edits


def _removed(state: State) -> tuple[Edit, ...]:
    return (*remove_everywhere(state.settings, KEY), *remove_key(state.settings, HELPER))


def _wanted(state: State) -> str:
    return state.gateway_key or ANY_TOKEN
