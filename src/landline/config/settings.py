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
# Names that a client's request may have; not those by which a request is sent, or its sender known.
HEADER_NAME = (
    r"(?!(?i:authorization|x-api-key|cookie|host|connection|transfer-encoding|content-[a-z]+|accept-encoding)$)"
    r"[A-Za-z0-9][A-Za-z0-9-]{0,63}"
)
END = r"$(?!\n)"  # `$` alone would let a line's end follow
HeaderName = Annotated[str, Meta(pattern=f"^{HEADER_NAME}{END}")]
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
    tls_certificate: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="Certificate in PEM, with its chain: the gateway then speaks https and nothing else on its "
            "port. From the folder of the settings file that names it. Needs tls_key; read at start.",
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(extra={"path": True}, description="The certificate's private key in PEM, without a passphrase."),
    ] = ""
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

    @property
    def scheme(self) -> str:
        return "https" if self.tls_certificate else "http"


class Backend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model server that answers."""

    url: Annotated[str, Meta(description="Base URL, with or without /v1.")] = "http://127.0.0.1:8000"
    replicas: Annotated[
        tuple[str, ...],
        Meta(description="Further base URLs that serve the same models; each session stays with one of them."),
    ] = ()
    session_headers: Annotated[
        tuple[HeaderName, ...],
        Meta(description="Headers that tell the backend the session, for routers behind it; none tells nothing."),
    ] = ("x-session-id", "x-session-affinity")
    agent_header: Annotated[
        str,
        Meta(
            pattern=f"^({HEADER_NAME})?{END}",
            description="Header that tells the backend which subagent of the session asks; empty tells nothing.",
        ),
    ] = "x-claude-code-agent-id"
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
    cache_salt: Annotated[
        Literal["off", "per_key"],
        Meta(
            description="per_key: prompts of one gateway key never share vLLM's prefix cache with those of another, so "
            "that nobody can learn from the time to the first token what others asked."
        ),
    ] = "off"


class Models(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which served model answers for which name."""

    default: Annotated[str, Meta(description="Model for every name that nothing else maps; empty: first served.")] = ""
    aliases: Annotated[dict[str, str], Meta(description="Name asked for = name served.")] = {}
    tiers: Annotated[
        dict[str, str], Meta(description="Tier (opus, sonnet, haiku, fable) = name served, matched by substring.")
    ] = {}
    strict: Annotated[
        bool,
        Meta(
            description="A name that is neither served nor mapped here is refused, with the names that are, in place "
            "of being answered by the default model. Where requests are forwarded verbatim the backend says so itself."
        ),
    ] = False
    families: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="File with families of your own, which stand before landline's; from the folder of the "
            "settings file that names it. Empty: none.",
        ),
    ] = ""
    reported_window: Annotated[
        int,
        Meta(
            ge=0,
            description="Window in tokens that a client assumes and cannot be told otherwise. Where the true one is "
            "smaller, the input_tokens told to clients are scaled up by the ratio, so that they compact in time. Never "
            "for billing: the log keeps the true numbers. 0: off.",
        ),
    ] = 0
    tools: Annotated[
        Literal["auto", "native", "words"],
        Meta(
            description="How tools reach the model. native: the server's chat template writes them. words: landline "
            "tells them in the prompt and reads the calls out of the text. auto: native, but words where the server "
            "refuses tools for a model or its template has no place for them."
        ),
    ] = "auto"
    loop_limit: Annotated[
        int,
        Meta(
            ge=0,
            description="A model that has made the same call with the same result so many times in a row is stopped "
            "with an error that says so; from the third on it is told. 0: never stopped.",
        ),
    ] = 8
    ask_again: Annotated[
        bool,
        Meta(
            description="A call that cannot be run (a required argument is missing, or the arguments are no object) is "
            "asked for once more, alone and not streamed, so that the server's grammar holds it to the tool's schema. "
            "Costs a second answer."
        ),
    ] = False
    nudge: Annotated[
        bool,
        Meta(
            description="A turn that ends in thinking, without a word or a call, is asked to go on, once. Claude Code "
            "does that by itself. Costs a second answer."
        ),
    ] = False
    local_titles: Annotated[
        bool,
        Meta(
            description="The title that Claude Code has made for each conversation, beside its first request, is made "
            "of the user's first words, without asking the model. Not where requests are forwarded verbatim."
        ),
    ] = False


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tokens are chosen where the client does not say; without these, as the model's family or the backend does."""

    temperature: Annotated[float, Meta(ge=-1, le=2, description="Temperature; -1: the backend's own.")] = -1
    top_p: Annotated[float, Meta(ge=0, le=1, description="Nucleus of the likeliest tokens; 0: the backend's own.")] = 0
    top_k: Annotated[int, Meta(ge=0, description="Number of the likeliest tokens; 0: the backend's own.")] = 0
    override: Annotated[bool, Meta(description="Also overrules what a client sends.")] = False
    family_defaults: Annotated[
        bool,
        Meta(
            description="Where neither the client nor these settings say anything, send what the model's maker or its "
            "vLLM recipe recommends; false leaves it to the backend."
        ),
    ] = True


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The search service behind the web search that clients expect their server to have."""

    url: Annotated[str, Meta(description="Base URL of a SearXNG that answers in JSON.")] = ""
    command: Annotated[
        tuple[str, ...],
        Meta(description="Program and arguments that print results as JSON; {query} stands for the query."),
    ] = ()
    timeout_s: Annotated[Seconds, Meta(description="Time for one search.")] = 15
    max_results: Annotated[int, Meta(ge=1, le=50, description="Results of one search that the model sees.")] = 8


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept between requests, because clients ask for it: nothing, unless it is turned on here."""

    responses: Annotated[
        bool,
        Meta(
            description="Responses that a client wants kept (`store: true`, so that `previous_response_id` works) are "
            "kept for 24 hours, with prompts, answers and the source code in them, in a file that only you can read. "
            "`landline store clear` empties it."
        ),
    ] = False
    limit_mib: Annotated[
        int, Meta(ge=1, le=65_536, description="Most that is kept of them, in MiB, compressed; the oldest go first.")
    ] = 256
    file: Annotated[
        str,
        Meta(
            extra={"path": True},
            description="File that they are kept in; from the folder of the settings file that names it. Empty: in "
            "your own folder for the state of programs.",
        ),
    ] = ""


class Embedded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small model that runs inside landline (`--embedded`, `landline demo`)."""

    threads: Annotated[int, Meta(ge=0, description="Threads for the model; 0: one less than the cores.")] = 0
    window: Annotated[int, Meta(ge=512, description="Context window in tokens.")] = 8192


class Egress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client that `landline launch` starts may connect to beside the gateway."""

    mode: Annotated[
        Literal["open", "audit", "proxy-only", "lock"],
        Meta(
            description="audit lists what it connects to, proxy-only refuses what asks the proxy, lock has the kernel "
            "refuse everything, open does not look."
        ),
    ] = "audit"
    allow: Annotated[
        tuple[str, ...],
        Meta(description="Hosts that proxy-only and lock let through: example.org, example.org:443 or .example.org."),
    ] = ()


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
    sampling: Sampling = Sampling()
    search: Search = Search()
    store: Store = Store()
    embedded: Embedded = Embedded()
    egress: Egress = Egress()
    log: Log = Log()
