"""The model server's own state, the request that was made, and what landline saw of earlier ones."""

from __future__ import annotations

from landline.clients.checking.causes import Cause, Fault
from landline.clients.checking.mends import mend
from landline.clients.doctor.finding import Outcome, Passed, Problem, Severity, Skipped, Source
from landline.clients.doctor.state import ModelServer, Place, State

NOT_KNOWN = "the model server is not known here: name it with --backend URL"
DOWN = "it does not answer"
NO_RECORDS = "only landline keeps records of requests"
FINE_STATUSES = frozenset({0, 200, 401, 403})  # other checks tell of these


def backend(state: State) -> Outcome:
    server, place = state.server, state.target
    if server is None:
        if place.not_ready:
            return [_not_ready(place)]
        return Passed("landline's own look at it found nothing wrong") if place.is_landline else Skipped(NOT_KNOWN)
    if server.answers:
        if server.served or server.loading or server.key_refused:
            return Passed(f"{server.kind.value} {server.version} at {server.url}".replace("  ", " "))
        return [Problem(finding=server.problem, fix=_address_of(server), source=Source(server.url))]
    if place.is_landline and not place.not_ready and server.named_by != "--backend":
        return Passed("landline reaches it, though it cannot be reached from here")
    return [Problem(finding=_plain(server.problem), fix=_address_of(server), source=Source(server.url))]


def backend_loading(state: State) -> Outcome:
    server = state.server
    if server is None or not server.answers:
        return Skipped(NOT_KNOWN if server is None else DOWN)
    if not server.loading:
        return Passed("ready")
    fix = "wait until it is loaded, then ask again; if it stays so, see its log"
    return [Problem(finding=server.problem, fix=fix, source=Source(server.url))]


def backend_key(state: State) -> Outcome:
    server = state.server
    if server is None or not server.answers:
        return Skipped(NOT_KNOWN if server is None else DOWN)
    if not server.key_refused:
        return Passed("it takes landline's requests")
    fix = "set backend.key in landline.toml (or LANDLINE_BACKEND_KEY) to the server's key, and start landline again"
    return [Problem(finding=server.problem, fix=fix, source=Source(server.url))]


def backend_version(state: State) -> Outcome:
    server = state.server
    if server is None or not server.served:
        return Skipped(NOT_KNOWN if server is None else DOWN)
    fix = "update it"
    return [Problem(finding=text, fix=fix, source=Source(server.url)) for text in server.findings] or Passed(
        server.version or "it tells no version"
    )


def keep_alive(state: State) -> Outcome:
    server = state.server
    if server is None or not server.answers:
        return Skipped(NOT_KNOWN if server is None else DOWN)
    if not server.closes:
        return Passed("kept")
    fix = "let the server, or the proxy before it, keep connections (vLLM: --timeout-keep-alive 120)"
    return [Problem(finding="it closed the connection behind its answer", fix=fix, source=Source(server.url))]


def request(state: State) -> Outcome:
    asked = state.asked
    if not state.target.answers:
        return Skipped("nothing answers at the gateway's address")
    if not asked.telling:
        return Skipped(asked.problem if not asked.status else "this server counts no tokens, and --quick asks no model")
    if asked.status in FINE_STATUSES and not asked.problem:
        return Passed("tokens of a small request were counted" if asked.counted_only else "a stream began")
    if asked.status in {401, 403}:
        return Passed("refused for its credential: see token_refused")
    finding = f"HTTP {asked.status}: {asked.problem}" if asked.status else asked.problem
    fix = "mend what is found above and below; the gateway's log has the request"
    if asked.status == 404:
        fix = "correct the address or the model that is named above"
    return [Problem(finding=f"{state.model} is asked for: {finding}", fix=fix, source=Source(state.target.url))]


def prefix_cache(state: State) -> Outcome:
    """The probe of two turns where it was made; else the server's own metrics and what landline saw."""
    server, probed = state.server, state.probed.cache
    url = Source(server.url if server else state.target.url)
    if server is not None and server.metrics is not None and not server.metrics.enabled:
        return [_cache_off(server, "prefix caching is switched off, says the server's /metrics", Cause.CACHE_OFF)]
    if probed is not None and probed.passed is False and probed.fault is not None and server is not None:
        return [_cache_off(server, probed.detail, probed.fault.cause)]
    said = [text for text in state.target.findings if "cache" in text]
    if said:
        finding, _, fix = said[0].partition(": ")
        severity = Severity.WARNING
        return [Problem(finding=finding, fix=fix or "see docs/backends.md", source=url, severity=severity)]
    if probed is not None and probed.passed:
        return Passed(probed.detail)
    if server is not None and server.metrics is not None:
        return Passed("switched on, says the server's /metrics")
    return Skipped(probed.detail if probed else "--quick asks no model, and nothing else tells")


def _cache_off(server: ModelServer, detail: str, cause: Cause) -> Problem:
    fix = mend(Fault(cause, detail), server.kind, server.parsers)
    return Problem(finding=detail, fix=fix, source=Source(server.url))


def silent_retries(state: State) -> Outcome:
    snapshot = state.target.snapshot
    if snapshot is None:
        return Skipped(NO_RECORDS)
    count = snapshot.totals.hidden_repeats
    if not count:
        return Passed(f"none in {snapshot.totals.requests} requests")
    causes = [call.repeat_cause for call in snapshot.finished if call.repeat_cause]
    first = causes[-1] if causes else "no longer in its records"  # the newest stands first
    return [
        Problem(
            finding=f"{count} of {snapshot.totals.requests} requests repeated an earlier one; the first cause: {first}",
            fix="mend that cause; `landline watch` shows each repeat",
            source=Source(state.target.url),
        )
    ]


def prefix_moved(state: State) -> Outcome:
    if state.target.snapshot is None:
        return Skipped(NO_RECORDS)
    moved = [call for call in state.target.snapshot.finished if call.prefix_moved]
    if not moved:
        return Passed("it did")
    lost = sum(call.lost_tokens for call in moved)
    newest = moved[0]
    return [
        Problem(
            finding=f"it moved in {len(moved)} of the last requests, at {newest.prefix_moved}: {newest.prefix_why}; "
            f"about {lost:,} tokens were computed again",
            fix="`landline watch` names each; usual causes are hooks, plugins and tool lists that change between turns",
            source=Source(state.target.url),
        )
    ]


def _not_ready(place: Place) -> Problem:
    fix = "start the model server, or point landline at it with --backend URL or backend.url"
    return Problem(finding=_plain(place.not_ready), fix=fix, source=Source(place.url))


def _address_of(server: ModelServer) -> str:
    why = "; where vLLM ends while it starts, --server-log FILE says why"
    return f"start it there, or correct its address ({server.named_by}){why}"


def _plain(text: str) -> str:
    return text.rstrip(".")
