"""A law: whatever settings, servers and probes say, every check gives an outcome, and nothing shown is a secret."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.causes import Cause, Fault
from landline.clients.claude_code import DEFEATING, TIER_VARIABLES
from landline.clients.doctor.catalogue import CHECKS
from landline.clients.doctor.diagnosing import diagnose
from landline.clients.doctor.finding import Source
from landline.clients.doctor.report import lines
from landline.clients.doctor.server_log import BEGIN, UP
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, Value
from landline.clients.doctor.state import (
    Asked,
    Client,
    Desktop,
    Editor,
    ModelServer,
    Place,
    Prefill,
    Probed,
    ServerLog,
    State,
    Streamed,
    is_url,
)
from landline.clients.live_gateway import LiveCall, LiveTotals, Snapshot
from landline.clients.remote_gateway import ServedModel
from landline.upstream.caching import CacheMetrics
from landline.upstream.dialects import BackendKind

SECRET = "sk-canary-0123456789"
NAMES = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_CUSTOM_MODEL_OPTION",
    *TIER_VARIABLES.values(),
    *DEFEATING,
    "HTTP_PROXY",
    "NO_PROXY",
    "no_proxy",
    "API_TIMEOUT_MS",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "CLAUDE_CODE_SIMPLE",
    "ENABLE_TOOL_SEARCH",
)
WORDS = st.sampled_from(
    [
        "",
        "0",
        "1",
        "opus",
        "sonnet[1m]",
        "m[1m][1M]",
        "org/m",
        "M",
        "http://h",
        "http://h:1/v1",
        "http://[",
        "9" * 5_000,
    ]
) | st.text(max_size=12)
URL = "http://127.0.0.1:4000"
SMALL = st.integers(0, 300_000)


@st.composite
def values(draw: st.DrawFn, text: st.SearchStrategy[str] = WORDS) -> tuple[Value, ...]:
    origins = sorted(draw(st.sets(st.sampled_from(Origin), min_size=1, max_size=3)))
    return tuple(
        Value(draw(text), origin, Source(f"f{origin}", 3), Path(f"f{origin}") if origin else None) for origin in origins
    )


@st.composite
def settings_in_force(draw: st.DrawFn) -> SettingsInForce:
    env = draw(st.dictionaries(st.sampled_from(NAMES), values(), max_size=8))
    secret = st.sampled_from(["", SECRET])
    env |= draw(
        st.dictionaries(st.sampled_from(["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"]), values(secret), max_size=2)
    )
    keys = draw(
        st.dictionaries(st.sampled_from(["model", "availableModels", "permissions.defaultMode"]), values(), max_size=3)
    )
    return SettingsInForce(
        env=env,
        keys=keys,
        user_file=Path("f2"),
        user_file_usable=draw(st.booleans()),
        logged_in=draw(st.booleans()),
    )


NAMED = st.text(max_size=6) | st.sampled_from(["m", "Org/M", "m-FP8"])
SNAPSHOTS = st.builds(
    Snapshot,
    landline=st.just("1"),
    finished=st.lists(
        st.builds(LiveCall, repeat_cause=NAMED, prefix_moved=NAMED, prefix_why=NAMED, lost_tokens=SMALL), max_size=3
    ),
    totals=st.builds(LiveTotals, requests=SMALL, hidden_repeats=st.integers(0, 2)),
)
PLACES = st.builds(
    Place,
    url=st.just(URL),
    answers=st.booleans(),
    problem=NAMED,
    version=st.sampled_from(["", "1"]),
    status=st.sampled_from([0, 200, 401, 404]),
    models=st.lists(st.builds(ServedModel, NAMED, SMALL), max_size=3).map(tuple),
    not_ready=NAMED,
    findings=st.lists(st.sampled_from(["cache: no", "window"]), max_size=2).map(tuple),
    snapshot=st.none() | SNAPSHOTS,
)
SERVERS = st.builds(
    ModelServer,
    url=st.just("http://m"),
    named_by=st.just("--backend"),
    answers=st.booleans(),
    loading=st.booleans(),
    key_refused=st.booleans(),
    problem=NAMED,
    kind=st.sampled_from(BackendKind),
    served=st.lists(NAMED, max_size=3).map(tuple),
    window=SMALL,
    findings=st.lists(NAMED, max_size=1).map(tuple),
    metrics=st.none() | st.builds(CacheMetrics, enabled=st.booleans()),
    closes=st.booleans(),
)
FOUND = st.none() | st.builds(
    ProbeFinding,
    st.sampled_from([True, False, None]),
    NAMED,
    st.none() | st.builds(Fault, st.sampled_from(Cause), NAMED),
)
SECONDS = st.floats(0, 1_000)
PROBED = st.builds(
    Probed,
    call=FOUND,
    cache=FOUND,
    template=FOUND,
    streamed=st.none() | st.builds(Streamed, SMALL, SECONDS, SECONDS, NAMED),
    streamed_direct=st.none() | st.builds(Streamed, SMALL, SECONDS, SECONDS, NAMED),
    prefill=st.none() | st.builds(Prefill, SMALL, SECONDS, SMALL, NAMED),
)
EDITORS = st.builds(
    Editor,
    st.just("settings.json"),
    SMALL,
    st.fixed_dictionaries(
        {"ANTHROPIC_AUTH_TOKEN": st.just(SECRET)},
        optional={"ANTHROPIC_BASE_URL": st.sampled_from([URL, "http://x\x1b"])},
    ),
    st.booleans(),
)
LOGS = st.lists(
    st.sampled_from([BEGIN, UP, "canary ", "\n", "estimated maximum model length is 9", "invalid tool call parser: a "])
).map("".join)
VERSIONS = st.sampled_from([(), (2, 1, 100), (2, 1, 197), (2, 1, 329), (3, 0, 0)])


@st.composite
def states(draw: st.DrawFn) -> State:
    settings = draw(settings_in_force())
    pointed = is_url(settings.text("ANTHROPIC_BASE_URL"))
    return State(
        client=Client("claude", draw(VERSIONS), draw(st.sampled_from(["", "/mnt/c/claude"]))),
        settings=settings,
        named_gateway=draw(st.sampled_from(["", URL, "http://other"])),
        gateway=draw(PLACES),
        pointed_at=draw(PLACES) if pointed else None,
        better=draw(st.sampled_from(["", "http://better"])),
        server=draw(st.none() | SERVERS),
        asked=draw(
            st.builds(Asked, st.sampled_from([0, 200, 400, 401, 404]), NAMED, st.booleans(), st.booleans(), NAMED)
        ),
        gateway_key=draw(st.sampled_from(["", "the-canary-of-the-gateway"])),
        probed=draw(PROBED),
        editors=draw(st.lists(EDITORS, max_size=2).map(tuple)),
        quick=draw(st.booleans()),
        desktop=draw(
            st.lists(st.builds(Desktop, NAMED, st.sampled_from(["", "gateway"]), WORDS), max_size=2).map(tuple)
        ),
        log=draw(st.none() | st.builds(ServerLog, NAMED, LOGS)),
    )


@given(states())
def test_every_check_has_an_outcome(state: State) -> None:
    diagnosis, edits = diagnose(state)
    named = {one.id for one in diagnosis.checks} | {one.id for one in diagnosis.not_tried}
    assert named == set(CHECKS)
    text = json.dumps(msgspec.to_builtins(diagnosis), ensure_ascii=False) + "\n".join(lines(diagnosis))
    assert "canary" not in text
    assert all(char.isprintable() or char == "\n" for char in text)
    managed = Path(f"f{Origin.MANAGED}")
    assert all(edit.file != managed for edit in edits)
    assert len({(edit.file, edit.keys) for edit in edits}) == len(edits)
