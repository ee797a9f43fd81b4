"""What earlier chat requests held that may come again: their tools, and the messages that each turn sends once more."""

from __future__ import annotations

from landline.core.growing import KnownMessages
from landline.core.model import Message, ToolResult
from landline.core.shelf import Shelf
from landline.protocols.openai_chat_in.tools import read_tools
from landline.protocols.openai_client.tools import Toolset

Element = Message | ToolResult  # what one message of the request is


class Known:
    """One per process, for all its clients: what is known is what somebody sent, byte for byte."""

    def __init__(self, *, secret: str = "") -> None:
        """`secret`: letters and digits that no client knows; without any, everything is read each time."""
        self.tools: Shelf[Toolset] = Shelf(read_tools)
        self.messages = KnownMessages[Element](secret)
