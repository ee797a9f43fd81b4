"""What earlier requests held that may come again: their tools, and the messages that each turn sends once more."""

from __future__ import annotations

from landline.core.growing import KnownMessages
from landline.core.model import Message
from landline.protocols.anthropic_messages.tools import ToolShelf


class Known:
    """One per process, for all its clients: what is known is what somebody sent, byte for byte."""

    def __init__(self, *, secret: str = "") -> None:
        """`secret`: letters and digits that no client knows; without any, everything is read each time."""
        self.tools = ToolShelf(secret=secret)
        self.messages = KnownMessages[Message](secret)
