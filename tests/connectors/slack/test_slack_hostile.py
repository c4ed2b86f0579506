"""Whatever an event holds, it is a message, a letter or nothing; no exception of Python's comes out."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.errors import BadMessage
from allears_sdk.message import Message, Raw
from allears_sdk.slack.escapes import escaped
from allears_sdk.testing.clock import START
from connectors.slack import SlackConnector, SlackSettings
from connectors.slack.events import is_ts, payload_of, pushed, raw_of, unreadable
from connectors.slack.parse import people_in
from connectors.slack.text import readable
from tests.connectors.slack.slack_payloads import LI_LEI, SUPPORT, stamp

SETTINGS = SlackSettings.model_validate({"bot_token": "xoxb-1"})
FIELDS = (
    "type", "subtype", "user", "username", "bot_id", "text", "ts", "thread_ts", "edited", "files", "attachments",
    "blocks", "team", "user_profile", "bot_profile", "message", "previous_message", "deleted_ts", "channel",
    "channel_type", "event_ts", "reply_count", "latest_reply",
)  # fmt: skip
WORDS = ("message", "message_changed", "message_deleted", "tombstone", SUPPORT, LI_LEI, stamp(5), "<@U1|x> &amp;", "im")
leaf = st.one_of(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(), st.text(max_size=8))
value = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
post = st.dictionaries(st.sampled_from(FIELDS), value, max_size=8)


@given(inner=post, outer=st.dictionaries(st.sampled_from(("type", "event", "payload", "envelope_id")), value))
def test_any_event_is_a_message_a_letter_or_nothing(inner: dict[str, Any], outer: dict[str, Any]) -> None:
    event = {"type": "message", "channel": SUPPORT, "ts": stamp(5), **inner}
    body = json.dumps({"type": "event_callback", "event": event, **outer}).encode()
    try:
        item = pushed(payload_of(body))
    except ValueError:
        raw = unreadable(body, START, {})
    else:
        if item is None:
            return
        people_in(item.post)
        raw = raw_of(item, body, START, {})
    assert all(isinstance(message, Message) for message in read(raw))


@given(inner=post)
def test_any_listed_message_too(inner: dict[str, Any]) -> None:
    body = json.dumps({"type": "message", "ts": stamp(5), **inner}).encode()
    context = {"channel": SUPPORT, "kind": "channel"}
    read(Raw(key="k", body=body, media_type="application/json", received_at=START, context=context))


@given(text=st.text())
def test_what_we_send_comes_back_as_it_was(text: str) -> None:
    assert readable(escaped(text), {}) == text


@given(text=st.text(alphabet="0123456789.-١x"))
def test_a_ts_is_nothing_else(text: str) -> None:
    assert is_ts(text) == (
        len(text) == 17
        and text[10] == "."
        and (text[:10] + text[11:]).isascii()
        and (text[:10] + text[11:]).isdecimal()
    )


def read(raw: Raw) -> list[Message]:
    try:
        return list(SlackConnector.parse(raw, SETTINGS))
    except BadMessage:
        return []
