"""What Feishu's codes for chats ask for (pages of each call)."""

from __future__ import annotations

from allears_sdk.feishu import Codes

LEFT = frozenset({230002, 232009})
"""The bot is not in this chat any more, or it was dissolved."""
TOO_LATE = frozenset({230002, 230011, 230013, 230019, 230050, 230110, 230111, 232009})
"""There is nothing, or nobody, left to answer."""

CHAT = Codes(
    busy=frozenset({230020, 230049, 1000040350}),
    config={230006: "switch the bot on for the app, and publish a version"},
    reasons={
        230110: "the message was deleted",
        234003: "the file is not in this message",
        234004: "the bot has left the chat",
        234009: "files of groups with outsiders are not handed out",
        234037: "larger than the 100 MB that Feishu hands out",
        234038: "a restricted message: its files are not handed out",
        234040: "the message is hidden from the bot",
        234041: "the organisation has deleted its key",
        234043: "files in cards and merged messages are not handed out",
        41050: "the app may not see this person",
    },
)
