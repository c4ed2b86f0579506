"""Events cut anywhere, and whatever else may come down a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.errors import AllearsError
from allears_sdk.remote.events import Event, read_events
from connectors.jmap.events import mail_state
from connectors.jmap.session import read_session
from connectors.jmap.source import listed_in

STREAM = (
    ": willkommen\r\n\r\n"
    "event: ping\r\ndata: {}\r\n\r\n"
    "id: 7\nevent: state\ndata: {\"changed\":\ndata:{\"u1\": {\"Email\": \"d35ecb040aab\"}}}\n\n"
    "data: 无名\r\n\r\n"
    "event: state\r\n\r\n"
    "event: state\r\ndata: half"
).encode()  # fmt: skip
EVENTS = [
    Event(name="ping", data="{}"),
    Event(name="state", data='{"changed":\n{"u1": {"Email": "d35ecb040aab"}}}'),
    Event(name="message", data="无名"),
]


def read(chunks: list[bytes]) -> list[Event]:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[Event]:
        return [event async for event in read_events(sent())]

    return asyncio.run(collect())


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[start:end] for start, end in pairwise(edges)]) == EVENTS


@given(chunks=st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    for event in read(chunks):
        assert mail_state(event, "u1") == "" or event.name == "state"


def test_only_news_of_the_accounts_mails_counts() -> None:
    assert mail_state(EVENTS[1], "u1") == "d35ecb040aab"
    for account, data in (
        ("u2", EVENTS[1].data),
        ("u1", "[]"),
        ("u1", '{"changed": {"u1": {"Email": 7}}}'),
        ("u1", ""),
    ):
        assert mail_state(Event(name="state", data=data), account) == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
def test_no_session_raises_anything_but_our_own_errors(value: object) -> None:
    try:
        read_session(json.dumps(value).encode(), "https://mail.example.com/jmap")
    except AllearsError:
        return


@given(mail=st.dictionaries(st.sampled_from(["id", "blobId", "size", "receivedAt"]), json_values))
def test_no_mail_raises_anything_but_our_own_errors(mail: dict[str, object]) -> None:
    try:
        listed_in([{**mail, "mailboxIds": {"a": True}}], "a")
    except AllearsError:
        return
