"""Answering in the thread of what was said."""

from __future__ import annotations

from allears_sdk.connector import Address
from allears_sdk.errors import Void
from allears_sdk.slack.api import Api
from allears_sdk.slack.escapes import escaped
from allears_sdk.slack.faults import Gone
from connectors.slack.events import is_ts


async def post_answer(api: Api, address: Address, text: str) -> None:
    """Raises Void where the conversation is no more; InDoubt when the answer to our post was lost: Slack documents no
    way to post something once, its `client_msg_id` being for its own clients."""
    channel, _, ts = address.message.partition(":")
    given = {"channel": channel, "text": escaped(text), "unfurl_links": False, "unfurl_media": False}
    thread = thread_of(channel, ts, address.thread)
    if thread:
        given["thread_ts"] = thread
    try:
        await api.call("chat.postMessage", **given)
    except Gone as error:
        raise Void(str(error)) from None


def thread_of(channel: str, ts: str, names: tuple[str, ...]) -> str:
    """The thread it was said in; in a channel else a new one under it, in a direct chat none."""
    for name in names:
        place, _, root = name.rpartition(":")
        if place == channel and is_ts(root):
            return root
    return "" if channel.startswith("D") or channel in names else ts
