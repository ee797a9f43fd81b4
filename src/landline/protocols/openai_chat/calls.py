"""Tells the tool calls of a chat stream apart, however a server keys them.

A delta belongs to a call by `index`; where the index is missing, or the same for all, a new id together with a new
name begins a new call. The first id of a call wins; ids that change from delta to delta mean nothing.
"""

from __future__ import annotations

import msgspec

from landline.core.lenient_json import is_over
from landline.protocols.openai_chat.wire import ToolCallDelta

ARGUMENTS_LIMIT = 32 * 1024 * 1024  # characters of one call; a model that writes more is not calling a tool


class CallTooLarge(ValueError):
    """The arguments of one call grew beyond ARGUMENTS_LIMIT."""


class Call:
    """One call while it comes in. `sent` left already, `held` waits until its block may open."""

    __slots__ = ("held", "id", "name", "over", "queued", "sent", "size", "started")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.sent: list[str] = []
        self.held: list[str] = []
        self.size = 0
        self.queued = False  # stands in the order of blocks
        self.started = False  # its block is open, or was
        self.over = False

    @property
    def whole(self) -> bool:
        """Whether the arguments are complete JSON. Asked only when something waits behind this call.

        A call without arguments is not whole: they may still come, and only the end of the answer says otherwise.
        """
        last = (self.held or self.sent or ("",))[-1].rstrip()
        if not last.endswith(("}", "]")):
            return False
        try:
            msgspec.json.decode("".join(self.sent + self.held))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


class CallTable:
    """All calls of one answer."""

    def __init__(self) -> None:
        self.named = False  # whether any call had a name
        self._by_index: dict[int, Call] = {}
        self._last: Call | None = None

    def take(self, delta: ToolCallDelta) -> tuple[Call, str]:
        """The call that a delta belongs to, and its piece of the arguments. Raises CallTooLarge."""
        function = delta.function
        name, piece = "", ""
        if function is not None:
            name = function.name or ""
            piece = _arguments(function.arguments)
            if name == "null":  # some servers write the absent name so
                name = ""
        call = self._find(delta.index, delta.id or "", name)
        if delta.id and not call.id:
            call.id = delta.id
        if name and not call.size and name != call.name:
            call.name += name  # a name may come in pieces until the arguments begin
        if call.name:
            self.named = True
        call.size += len(piece)
        if call.size > ARGUMENTS_LIMIT:
            raise CallTooLarge(f"arguments of more than {ARGUMENTS_LIMIT} characters for one tool call")
        return call, piece

    @property
    def broken_off(self) -> bool:
        """Whether the last call stops in the middle of its arguments. Asked once, at the end of the answer.

        Arguments that are badly written, but to their end, do not: they can be repaired.
        """
        last = self._last
        return last is not None and last.size > 0 and not last.whole and not is_over("".join(last.sent + last.held))

    def _find(self, index: int | None, ident: str, name: str) -> Call:
        call = self._last if index is None else self._by_index.get(index)
        if call is None or (ident and call.id and ident != call.id and name):
            return self._new(index)  # unseen, or another call under the same index or under none
        if index is None and name and not ident and call.size and name != call.name:
            return self._new(index)
        return call

    def _new(self, index: int | None) -> Call:
        call = self._last = Call()
        if index is not None:
            self._by_index[index] = call
        return call


def _arguments(value: object) -> str:
    """Arguments as JSON text; some servers send the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
