"""What earlier requests held that may come again: their tools, and the messages that each turn sends once more."""

from __future__ import annotations

from landline.core.growing import GrowingLists
from landline.core.model import Message
from landline.protocols.anthropic_messages.tools import ToolShelf
from landline.protocols.anthropic_messages.wire import WireRequest


class Known:
    """One per process, for all its clients: what is known is what somebody sent, byte for byte."""

    def __init__(self, *, secret: str = "") -> None:
        """`secret`: letters and digits that no client knows; without any, everything is read each time."""
        self._secret = secret
        self.tools = ToolShelf(secret=secret)
        self.messages = GrowingLists[Message](b'{"role":"%b"}' % secret.encode() if secret else b"")

    def stands_first(self, wire: WireRequest) -> bool:
        """Whether the mark of what was lifted is the first message, so that it was the messages that were lifted."""
        return bool(wire.messages) and wire.messages[0].role == self._secret
