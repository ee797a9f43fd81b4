"""One model server, as it is known now: its address, what it is, which models it serves, and their window.

State lives here and nowhere else. It is filled by `probe.py` and corrected by what answers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct

from landline.families.registry import Family, Match, Registry, with_family
from landline.protocols.openai_chat.dialect import Dialect, Tooling
from landline.upstream.dialects import DIALECTS, BackendKind, narrow_window, small_window
from landline.upstream.failures import Mend
from landline.upstream.mends import CHANGES, changed

FIRST_GUESS_BYTES_PER_TOKEN = 4.1  # of a chat request; measured on requests of Claude Code


class ServedModel(Struct, frozen=True):
    """What the server tells of a model. `window` is in tokens, 0 when it does not; texts are empty then."""

    id: str
    window: int = 0
    root: str = ""  # the checkpoint behind the name: its id, or a path
    template: str = ""  # the chat template, or as much of it as is kept
    architecture: str = ""


class Trouble(StrEnum):
    """Why a server is not reachable; what it said is in `Backend.problem`."""

    AWAY = "away"  # nothing answers there
    LOADING = "loading"  # it answers that it is not ready: it loads its model, or its engine is dead
    OTHER = "other"


class Knowledge(Struct, frozen=True):
    """What is known of one served model. `window` is in tokens, 0 when nobody knows; `advice` see `Backend.advice`."""

    dialect: Dialect
    family: Family | None
    window: int
    advice: str


class Backend:
    """Knowledge about one server. `url` is the base without /v1."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        window: int = 0,
        native: bool = False,
        families: Registry | None = None,
        tools: Literal["auto", "native", "words"] = "auto",
    ) -> None:
        self.url = base_url(url)
        self.native = native
        self.kind = BackendKind.ANTHROPIC if native else BackendKind.UNKNOWN
        self.version = ""  # of the server, in its own words
        self._models: tuple[ServedModel, ...] = ()
        self.seen = False  # whether it ever answered
        self.reachable = False
        self.problem = "not asked yet"
        self.trouble: Trouble | None = Trouble.AWAY
        self.slots = 0  # prompts that llama.cpp holds at a time; 0: not known
        self.images: bool | None = None  # whether its model sees pictures, where the server tells (llama.cpp)
        self._configured_window = window
        self._bytes_per_token = FIRST_GUESS_BYTES_PER_TOKEN
        self._families = families or Registry()
        self._tools = tools
        self._mends: dict[str, tuple[Mend, ...]] = {}  # by model: what its refusals taught
        self._thinking_in_text: dict[str, bool] = {}  # by model: what its answers showed
        self._matches: dict[str, Match | None] = {}  # by model
        self._known: dict[str, tuple[object, Knowledge]] = {}  # by model, behind what it was derived from
        self._key = key.encode()
        self._headers = self._auth(key)

    @property
    def models(self) -> tuple[ServedModel, ...]:
        return self._models

    @models.setter
    def models(self, models: tuple[ServedModel, ...]) -> None:
        if models != self._models:  # what was derived from what it told before is derived again
            self._models = models
            self._matches.clear()

    def match(self, model: str) -> Match | None:
        """The family of a served model, and why."""
        if model not in self._matches:
            told = next((known for known in self._models if known.id == model), ServedModel(model))
            self._matches[model] = self._families.match(
                model, root=told.root, template=told.template, architecture=told.architecture
            )
        return self._matches[model]

    def family(self, model: str) -> Family | None:
        match = self.match(model)
        return match.family if match else None

    def known(self, model: str) -> Knowledge:
        """All that a request for `model` asks of the server, in one look-up while nothing of it changes."""
        mends = self._mends.get(model, ())
        state = (self.kind, self.images, self._models, mends, self._thinking_in_text.get(model))
        before = self._known.get(model)
        if before is not None and before[0] == state:
            return before[1]
        known = Knowledge(self._compose(model, mends), self.family(model), self.window(model), self.advice(model))
        self._known[model] = (state, known)
        return known

    def dialect(self, model: str) -> Dialect:
        """What this server accepts for a served model, as far as it is known."""
        return self.known(model).dialect

    def _compose(self, model: str, mends: tuple[Mend, ...]) -> Dialect:
        dialect = with_family(DIALECTS[self.kind], self.family(model))
        if self.images is not None:
            dialect = msgspec.structs.replace(dialect, images=self.images)
        dialect = msgspec.structs.replace(dialect, thinking_in_text=self._thinking_in_text.get(model))
        dialect = changed(dialect, mends)
        if self._tools == "words" or (self._tools == "auto" and self._template_without_tools(model)):
            dialect = msgspec.structs.replace(dialect, tools=Tooling.WORDS)
        return dialect

    def _template_without_tools(self, model: str) -> bool:
        """Whether the server tells a chat template, and it mentions no tools: they would be dropped without a word."""
        template = next((known.template for known in self._models if known.id == model), "")
        return bool(template) and "tool" not in template.lower()

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request: the backend's own key, never a client's."""
        return self._headers

    def without_key(self, data: bytes) -> bytes:
        """What the server wrote, as it may be shown: some repeat the key they refuse."""
        return data.replace(self._key, b"[key]") if self._key else data

    @property
    def served(self) -> tuple[str, ...]:
        return tuple([model.id for model in self.models])

    def window(self, model: str) -> int:
        """Context window of a served model in tokens; 0 when nobody knows."""
        if self._configured_window:
            return self._configured_window
        for known in self.models:
            if known.id == model:
                return known.window
        return 0

    def advice(self, model: str) -> str:
        """What to change about the server, where its own window is too small for agents; else empty."""
        return "" if self._configured_window else small_window(self.kind, self.window(model))

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the server as it was started, and what to change; for whoever runs it."""
        if self._configured_window:
            return ()
        found = (self.advice(known.id) or narrow_window(self.kind, known.window) for known in self.models)
        return tuple(dict.fromkeys(filter(None, found)))

    def learn_window(self, model: str, window: int) -> None:
        """An overflow names the true window: believed when nothing else was known."""
        if window and not self.window(model):
            if model in self.served:  # in its place: the first model answers for names that nothing maps
                self.believe({model: window})
            else:
                self.models = (*self.models, ServedModel(model, window))

    def believe(self, windows: Mapping[str, int]) -> None:
        """These windows count from now on, where they are known (not 0)."""
        self.models = tuple(
            msgspec.structs.replace(model, window=windows.get(model.id) or model.window) for model in self.models
        )

    def learn(self, model: str, mends: Iterable[Mend]) -> None:
        """It refused a request, and took it with these mends: later ones are written so from the start."""
        known = self._mends.get(model, ())
        taught = [mend for mend in mends if mend in CHANGES and mend not in known]
        if taught:
            self._mends[model] = (*known, *taught)

    def estimate_tokens(self, size: int) -> int:
        """Tokens of a chat request of `size` bytes, by what earlier answers of this server taught."""
        return max(1, round(size / self._bytes_per_token))

    @property
    def bytes_per_token(self) -> float:
        """Of a chat request, as far as answers of this server taught it."""
        return self._bytes_per_token

    def learn_thinking(self, model: str, *, in_text: bool) -> None:
        """Where the server leaves the thinking of a model: in the text, or apart."""
        self._thinking_in_text[model] = in_text

    def learn_size(self, size: int, tokens: int) -> None:
        """One exact pair of request bytes and prompt tokens. Small requests are mostly template and teach nothing."""
        if tokens >= 500:
            self._bytes_per_token += 0.2 * (size / tokens - self._bytes_per_token)

    def answered(self) -> None:
        self.seen = self.reachable = True
        self.problem = ""
        self.trouble = None

    def failed(self, problem: str, trouble: Trouble = Trouble.OTHER) -> None:
        self.reachable = False
        self.problem = problem
        self.trouble = trouble

    def _auth(self, key: str) -> dict[str, str]:
        if not key:
            return {}
        return {"x-api-key": key} if self.native else {"authorization": f"Bearer {key}"}


def base_url(url: str) -> str:
    """The address without what people add behind it: a slash, /v1, a whole endpoint."""
    base = url.strip().rstrip("/")
    for tail in ("/chat/completions", "/completions", "/messages", "/models"):
        base = base.removesuffix(tail)
    while base.endswith("/v1"):
        base = base.removesuffix("/v1").rstrip("/")
    return base if "://" in base else f"http://{base}"
