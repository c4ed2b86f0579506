"""The mappings printed on the pages, on requests as their vendors document them: exact messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from allears_sdk.codec import decode
from allears_sdk.context import Context
from allears_sdk.errors import BadMessage
from allears_sdk.message import Kind, Message, Raw, Role
from connectors.webhook import WebhookConnector, WebhookSettings
from connectors.webhook.raws import raws_of
from tests.connectors.webhook.conftest import FIXTURES, NOW, PAGES, post, printed, ready, settings_of

MEDIA_TYPES = {
    ".json": "application/json; charset=utf-8",
    ".form": "application/x-www-form-urlencoded",
    ".multipart": "multipart/form-data; boundary=X1",
}
REQUESTS = {path.stem: path for path in FIXTURES.iterdir() if not path.name.endswith(".messages.json")}


def said(settings: WebhookSettings, body: bytes, media_type: str = "application/json") -> list[Message]:
    """As the core does it: raws, then each one parsed."""
    raws = raws_of(post(body, media_type=media_type), settings)
    return [message for raw in raws for message in WebhookConnector.parse(raw, settings)]


def said_of(mapping: dict[str, Any], body: Any, **more: Any) -> Message:
    (message,) = said(settings_of({"text": "$.text", **mapping}, **more), json.dumps(body).encode())
    return message


def test_both_pages_print_the_same_channels() -> None:
    first, second = map(printed, PAGES)
    assert first == second


@pytest.mark.parametrize("name", printed(PAGES[0]))
def test_a_printed_channel_reads_its_vendors_request(name: str) -> None:
    path = REQUESTS[name]
    expected = decode((FIXTURES / f"{name}.messages.json").read_bytes(), list[Message])
    assert said(ready(name), path.read_bytes(), MEDIA_TYPES[path.suffix]) == expected


@pytest.mark.parametrize("name", printed(PAGES[0]))
def test_a_printed_channel_knows_its_requests_again(name: str) -> None:
    body, media_type = REQUESTS[name].read_bytes(), MEDIA_TYPES[REQUESTS[name].suffix]
    first, again = (raws_of(post(body, media_type=media_type), ready(name)) for _ in range(2))
    assert first == again
    assert all(raw.digest for raw in first), "an id is mapped, so an edit is heard"


async def test_the_json_on_the_page_is_read(context: Context) -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    body = text.partition("```json\n")[2].partition("```")[0]
    (message,) = said(ready("hotline"), body.encode())
    assert (message.text, message.author.name, len(message.attachments)) == ("充电宝发烫，我要退款。", "李雷", 1)


def test_a_chat_with_agents_and_bots() -> None:
    settings = ready("chatwoot")
    body = json.loads((FIXTURES / "chatwoot.json").read_bytes())
    roles = {
        word: said(settings, json.dumps({**body, "message_type": word}).encode())[0].author.role
        for word in ("incoming", 0, "outgoing", 1, "template")
    }
    assert list(roles.values()) == [Role.CUSTOMER, Role.CUSTOMER, Role.COMPANY, Role.COMPANY, Role.BOT]
    for other in ({"private": True}, {"event": "conversation_updated"}):
        assert said(settings, json.dumps({**body, **other}).encode()) == []


def test_sms_that_opts_out_is_no_complaint() -> None:
    body = REQUESTS["sms"].read_bytes() + b"&OptOutType=STOP"
    assert said(ready("sms"), body, MEDIA_TYPES[".form"]) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-03-01T08:30:00Z", "2026-03-01T08:30:00+00:00"),
        ("2026-03-01T08:30:00.123+0800", "2026-03-01T08:30:00.123000+08:00"),
        ("2026-03-01 08:30:00", "2026-03-01T08:30:00+08:00"),
        ("Sun, 01 Mar 2026 08:30:00 +0000", "2026-03-01T08:30:00+00:00"),
        (1_750_000_000, "2025-06-15T15:06:40+00:00"),
        ("1750000000", "2025-06-15T15:06:40+00:00"),
        (1_750_000_000_123, "2025-06-15T15:06:40.123000+00:00"),
        (1_750_000_000.5, "2025-06-15T15:06:40.500000+00:00"),
    ],
)
def test_times(given: Any, expected: str) -> None:
    message = said_of({"posted_at": "$.at"}, {"text": "x", "at": given}, timezone="Asia/Shanghai")
    assert message.posted_at is not None
    assert message.posted_at.isoformat() == expected


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("posted_at", "yesterday 李雷"),
        ("posted_at", "1e400"),
        ("posted_at", 10**30),
        ("posted_at", {"李雷": 1}),
        ("rating", "five 李雷"),
        ("rating", "nan"),
        ("rating", "inf"),
    ],
)
def test_what_does_not_fit_is_named_by_its_setting_without_its_words(setting: str, value: Any) -> None:
    with pytest.raises(BadMessage) as caught:
        said_of({setting: "$.v"}, {"text": "x", "v": value})
    assert f"map.{setting}: " in str(caught.value)
    assert "李雷" not in str(caught.value)


def test_empty_and_missing_values_are_none() -> None:
    mapping = {"posted_at": "$.at", "rating": "$.stars", "author_name": "$.who", "files": "$.files"}
    empty: dict[str, Any] = {"text": "x", "at": "", "stars": " ", "who": None, "files": [None, "", {}, [], 5]}
    bodies: list[dict[str, Any]] = [{"text": "x"}, empty]
    for body in bodies:
        message = said_of(mapping, body)
        assert (message.posted_at, message.rating, message.author.name, message.attachments) == (None, None, "", ())


def test_nothing_at_all_is_a_letter_and_a_picture_alone_is_a_message() -> None:
    with pytest.raises(BadMessage, match=r"map\.text"):
        said_of({}, {"txt": "x"})
    assert said_of({"files": "$.files"}, {"files": ["https://f.example/1.png"]}).attachments
    assert said_of({"kind": "$.op", "kinds": {"*": "withdrawn"}}, {"op": "delete"}).kind is Kind.WITHDRAWN


def test_a_choice_of_several_and_numbers_are_written_out() -> None:
    mapping = {"text": {"Why": "$.why", "How many": "$.n", "Again": "$.again"}, "id": ["$.n", "$.missing", "$.f"]}
    message = said_of(mapping, {"why": ["late", ["broken"]], "n": 3, "again": True, "f": 2.0})
    assert message.text == "Why: late, broken\nHow many: 3\nAgain: true"
    assert message.external_id == "3:2"


def test_big_ids_keep_every_digit() -> None:
    (message,) = said(settings_of({"text": "$.t", "id": "$.id"}), b'{"t": "x", "id": 92233720368547758079}')
    assert message.external_id == "92233720368547758079"
    (other,) = said(settings_of({"text": "$.t", "id": "$.id"}), b'{"t": "x", "id": 9007199254740993}')
    assert other.external_id == "9007199254740993"


def test_constants_fill_what_nothing_says() -> None:
    constants = {"product": "空气炸锅", "language": "zh", "role": "bot", "author_name": "店员"}
    mapping = {"constants": constants, "author_name": "$.who"}
    first, second = said_of(mapping, {"text": "x"}), said_of(mapping, {"text": "x", "who": "李雷"})
    assert (first.product, first.language, first.author.role) == ("空气炸锅", "zh", Role.BOT)
    assert (first.author.name, second.author.name) == ("店员", "李雷")


def test_files_that_have_no_address_say_so() -> None:
    message = said_of({"files": "$.f"}, {"text": "x", "f": ["data:image/png;base64,AAAA", "photo.jpg"]})
    assert all(one.ref is None and one.skipped for one in message.attachments)


def test_a_hostile_number_of_files_is_cut() -> None:
    message = said_of({"files": "$.f"}, {"text": "x", "f": [f"https://f.example/{at}" for at in range(5000)]})
    assert len(message.attachments) == 100


def test_a_raw_of_many_is_read_whole() -> None:
    """A raw that was not cut: its items have ids of their own."""
    settings = settings_of({"items": "$[*]", "text": "@.t"})
    raw = Raw(key="k", body=b'[{"t": "a"}, {"t": "b"}]', media_type="application/json", received_at=NOW)
    assert [message.external_id for message in WebhookConnector.parse(raw, settings)] == ["k#0", "k#1"]
