"""The settings, typed: every key that landline.toml, the environment or a flag can set, with its default.

One struct per TOML table. Field metadata says what the key is for (it becomes the JSON schema and the reference page)
and whether its value is a secret, which is never shown. Which keys a project's own file may set only after
`landline trust` is said in `trust.py`. Knows no file, variable or flag.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Secret = Annotated[str, Meta(extra={"secret": True})]
# An empty key would let in a client that sends an empty header.
GatewayKey = Annotated[str, Meta(min_length=1, extra={"secret": True})]


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where clients connect to."""

    host: Annotated[str, Meta(description="Address to listen on. Another than loopback needs keys.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 picks a free one.")] = 4000
    keys: Annotated[
        tuple[GatewayKey, ...], Meta(description="Keys that clients must send; none means loopback only.")
    ] = ()
    hosts: Annotated[
        tuple[str, ...], Meta(description="Further names by which clients may call the gateway (Host header).")
    ] = ()
    workers: Annotated[int, Meta(ge=1, le=64, description="Processes that share the port.")] = 1
    body_limit_mib: Annotated[int, Meta(ge=1, le=1024, description="Largest request body, in MiB.")] = 32
    header_timeout_s: Annotated[Seconds, Meta(description="Time for a client to send its request headers.")] = 15
    body_timeout_s: Annotated[Seconds, Meta(description="Longest silence while a client sends its body.")] = 30
    commit_after_s: Annotated[
        float, Meta(gt=0, le=10, description="A stream is opened towards the client after this long without an answer.")
    ] = 10
    heartbeat_s: Annotated[
        float, Meta(gt=0, le=15, description="Longest silence on an open stream before the client is sent a heartbeat.")
    ] = 12
    drain_s: Annotated[Seconds, Meta(description="Time that running requests get to finish after SIGTERM.")] = 60


class Backend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model server that answers."""

    url: Annotated[str, Meta(description="Base URL, with or without /v1.")] = "http://127.0.0.1:8000"
    key: Annotated[Secret, Meta(description="Key that the backend wants (sent as a bearer token).")] = ""
    protocol: Annotated[
        Literal["openai_chat", "anthropic_messages"],
        Meta(description="What the backend speaks; anthropic_messages forwards requests verbatim."),
    ] = "openai_chat"
    window: Annotated[int, Meta(ge=0, description="Context window in tokens; 0 asks the backend.")] = 0
    connect_timeout_s: Annotated[Seconds, Meta(description="Time to open a connection.")] = 5
    idle_timeout_s: Annotated[
        Seconds, Meta(description="Longest silence of the backend, before or between tokens.")
    ] = 3600


class Models(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which served model answers for which name."""

    default: Annotated[str, Meta(description="Model for every name that nothing else maps; empty: first served.")] = ""
    aliases: Annotated[dict[str, str], Meta(description="Name asked for = name served.")] = {}
    tiers: Annotated[
        dict[str, str], Meta(description="Tier (opus, sonnet, haiku, fable) = name served, matched by substring.")
    ] = {}


class Embedded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small model that runs inside landline (`--embedded`, `landline demo`)."""

    threads: Annotated[int, Meta(ge=0, description="Threads for the model; 0: one less than the cores.")] = 0
    window: Annotated[int, Meta(ge=512, description="Context window in tokens.")] = 8192


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line per request on standard error; never a body or a key."""

    format: Annotated[
        Literal["auto", "json", "text"], Meta(description="auto: text on a terminal, JSON lines elsewhere.")
    ] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything together, as landline.toml has it."""

    gateway: Gateway = Gateway()
    backend: Backend = Backend()
    models: Models = Models()
    embedded: Embedded = Embedded()
    log: Log = Log()
