"""What was gathered, typed: the checks take it and return problems. Knows no file, socket or clock."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.bench import Server
from landline.clients.checking.mends import Parsers
from landline.clients.claude_code import TIER_VARIABLES
from landline.clients.doctor.settings_in_force import Origin, SettingsInForce, Value
from landline.clients.live_gateway import Snapshot
from landline.clients.remote_gateway import ServedModel
from landline.upstream.caching import CacheMetrics
from landline.upstream.dialects import BackendKind

# What the client asks for where nothing names a model. 197 and 329 were seen to send these, 2.1.100 the first.
DEFAULT_MODELS = {(2, 1, 100): "claude-sonnet-4-6", (2, 1, 197): "claude-opus-4-8", (2, 1, 329): "claude-opus-5-5"}
# Words that `model` takes in place of an id, and the tier whose variable then names the model.
ALIASES = {"opus": "opus", "sonnet": "sonnet", "haiku": "haiku", "fable": "fable", "opusplan": "opus"}
LONG_CONTEXT = "[1m]"


class Client(Struct, frozen=True):
    """`version` as numbers; empty where the program was not found."""

    path: str = ""
    version: tuple[int, ...] = ()
    foreign: str = ""  # on WSL: the `claude` of Windows that stands first on PATH

    @property
    def shown(self) -> str:
        return ".".join(map(str, self.version)) or "not found"


class Place(Struct, frozen=True, kw_only=True):
    """What answers at an address. `problem` is why nothing does; `version` is landline's, empty for another server."""

    url: str  # scheme, host and port, and a path only where landline answers behind one
    answers: bool = False
    problem: str = ""
    version: str = ""
    status: int = 0  # of its list of models
    models: tuple[ServedModel, ...] = ()
    not_ready: str = ""  # what landline says of its backend where that does not answer
    findings: tuple[str, ...] = ()  # what landline found in its backend
    snapshot: Snapshot | None = None

    @property
    def is_landline(self) -> bool:
        return bool(self.version)


class ModelServer(Struct, frozen=True, kw_only=True):
    """The backend, asked itself. `loading`: it answers, and says 503 or so of itself."""

    url: str
    named_by: str
    answers: bool = False
    loading: bool = False
    key_refused: bool = False
    problem: str = ""
    kind: BackendKind = BackendKind.UNKNOWN
    version: str = ""
    model: str = ""
    served: tuple[str, ...] = ()
    window: int = 0
    family: str = ""
    parsers: Parsers = Parsers()
    findings: tuple[str, ...] = ()
    metrics: CacheMetrics | None = None
    closes: bool = False  # ends the connection behind each answer
    facts: Server | None = None  # the same for the probes of `landline check`; None: it does not answer


class Asked(Struct, frozen=True):
    """One request as the client makes it. `status` 0: none was made, or nothing came; `problem` says what.

    `telling` False: the server refuses to count tokens for anybody, so its 404 says nothing of this request.
    """

    status: int = 0
    problem: str = ""
    counted_only: bool = True  # tokens were counted, no model was asked
    telling: bool = True


class Streamed(Struct, frozen=True):
    """How a stream of `tokens` came, in seconds since the request."""

    tokens: int = 0
    first_s: float = 0.0
    total_s: float = 0.0
    problem: str = ""


class Prefill(Struct, frozen=True):
    """`seconds` to the first token of a prompt of `tokens`, as the server counts; `sent` is our own estimate."""

    tokens: int = 0
    seconds: float = 0.0
    sent: int = 0
    problem: str = ""


class Probed(Struct, frozen=True, kw_only=True):
    """What the model probes saw; None: not tried, and `untried` says why, by check."""

    call: ProbeFinding | None = None
    cache: ProbeFinding | None = None
    template: ProbeFinding | None = None
    streamed: Streamed | None = None
    streamed_direct: Streamed | None = None
    prefill: Prefill | None = None
    untried: Mapping[str, str] = {}


class Desktop(Struct, frozen=True):
    """What a managed file tells the desktop application: shell and settings files do not reach it."""

    file: str
    provider: str
    address: str


class ServerLog(Struct, frozen=True):
    """The end of a model server's log; `first_line` is the number of its first line in the file, 0: not counted."""

    file: str
    text: str
    first_line: int = 1


class State(Struct, frozen=True, kw_only=True):
    client: Client
    settings: SettingsInForce
    named_gateway: str = ""  # by --gateway
    gateway: Place  # what the client should talk to
    pointed_at: Place | None = None  # what its base URL leads to; None: it has none that is a URL
    better: str = ""  # an address of landline that answers, where what the client has does not
    server: ModelServer | None = None
    asked: Asked = Asked()
    gateway_key: str = ""  # of landline's own settings
    probed: Probed = Probed()
    quick: bool = False
    desktop: tuple[Desktop, ...] = ()
    log: ServerLog | None = None

    @property
    def target(self) -> Place:
        """Where the client's requests go, or would go."""
        return self.pointed_at or self.gateway

    @property
    def behind_landline(self) -> bool:
        return self.target.is_landline

    @property
    def served(self) -> tuple[str, ...]:
        """Names that the server at the end of the path has, as far as it tells."""
        if self.server is not None and self.server.served and self.behind_landline:
            return self.server.served
        return tuple(model.id for model in self.target.models)

    @property
    def window(self) -> int:
        """In tokens; 0: nobody says it."""
        told = {model.id: model.window for model in self.target.models}
        own = self.server.window if self.server is not None else 0
        return told.get(self.model, 0) or own or next(iter(told.values()), 0)

    @property
    def model(self) -> str:
        return sent_model(self.settings, self.client).name


class SentModel(Struct, frozen=True):
    """The id that the client puts into its main request, and the value that decides it; None: its own default."""

    name: str
    value: Value | None
    variable: str = ""


def sent_model(settings: SettingsInForce, client: Client) -> SentModel:
    """ANTHROPIC_MODEL beats the key `model` of every file; a word such as `opus` stands for that tier's variable."""
    value, variable = settings.value("ANTHROPIC_MODEL"), "ANTHROPIC_MODEL"
    if value is None:
        value, variable = settings.key("model"), "model"
    asked = value.text if value else "opus"
    plain = asked.removesuffix(LONG_CONTEXT)
    tier = settings.value(TIER_VARIABLES[ALIASES[plain]]) if plain in ALIASES else None
    if plain not in ALIASES and plain != "default":
        return SentModel(asked, value, variable)
    if tier is not None and asked == plain:
        return SentModel(tier.text, tier, TIER_VARIABLES[ALIASES[plain]])
    if tier is not None and client.version >= (2, 1, 329):  # 197 passes the variable over where [1m] is asked for
        return SentModel(tier.text, value, variable)
    return SentModel(default_model(client), value, variable)


def default_model(client: Client) -> str:
    known = [name for version, name in sorted(DEFAULT_MODELS.items()) if client.version >= version]
    return known[-1] if known else DEFAULT_MODELS[max(DEFAULT_MODELS)]


def is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_file(value: Value) -> bool:
    return value.origin is not Origin.SHELL
