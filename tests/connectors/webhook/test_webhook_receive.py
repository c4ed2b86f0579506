"""Requests in, raws and answers out: items, edits, handshakes, odd bodies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import respx

from allears_sdk.connector import Accepted, Answer, Reception, Request
from allears_sdk.context import Context
from allears_sdk.errors import Rejected
from allears_sdk.message import Kind, Message, Raw, Ref
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from connectors.webhook import WebhookConnector, WebhookSettings
from tests.connectors.webhook.conftest import TOKEN, post, settings_of

REFERENCE = "ALE-7K3M-Q9TX-4RWD"
FORM = "application/x-www-form-urlencoded"
EVENTS = {"items": "$.events[*]", "id": "@.id", "text": "@.text", "subject": "$.form"}


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return Remote(clock=clock, sleep=clock.sleep, transport=httpx.AsyncHTTPTransport)


async def raws_of(context: Context, settings: WebhookSettings, request: Request) -> Sequence[Raw]:
    reception = await WebhookConnector(settings, context).receive(request)
    assert not reception.refused
    return reception.raws


def parsed(raws: Sequence[Raw], settings: WebhookSettings) -> list[Message]:
    return [message for raw in raws for message in WebhookConnector.parse(raw, settings)]


def answered(reception: Reception) -> Answer:
    return reception.answer([Accepted(key=raw.key, is_new=True, reference=REFERENCE) for raw in reception.raws])


def events(*items: Any, **around: Any) -> str:
    return json.dumps({"form": "投诉", **around, "events": list(items)}, ensure_ascii=False)


async def test_one_item_is_stored_as_it_came(context: Context) -> None:
    settings = settings_of(EVENTS)
    body = ' {"events": [ {"id": 7, "text": "坏了"} ], "form": "投诉"}\n'
    (raw,) = await raws_of(context, settings, post(body))
    assert (raw.key, raw.body.decode(), raw.media_type) == ("7", body, "application/json")
    (message,) = parsed([raw], settings)
    assert (message.external_id, message.text, message.subject) == ("7", "坏了", "投诉")


async def test_several_items_are_a_raw_each_and_a_bad_one_loses_no_other(context: Context) -> None:
    settings = settings_of({**EVENTS, "rating": "@.stars"})
    body = events({"id": 1, "text": "慢"}, {"id": 2, "text": "x", "stars": "five"}, 5, {"id": 3, "text": "贵"})
    raws = await raws_of(context, settings, post(body))
    assert [raw.key for raw in raws][:2] == ["1", "2"]
    assert json.loads(raws[0].body) == {"form": "投诉", "events": [{"id": 1, "text": "慢"}]}
    said: list[str] = []
    refused = 0
    for raw in raws:
        try:
            said += [message.text for message in WebhookConnector.parse(raw, settings)]
        except Exception as error:
            refused += 1
            assert "five" not in str(error)
    assert (said, refused) == (["慢", "贵"], 2)


async def test_what_comes_again_in_another_bundle_is_known(context: Context) -> None:
    settings = settings_of(EVENTS)
    first = await raws_of(context, settings, post(events({"id": 1, "text": "慢"}, {"id": 2, "text": "贵"})))
    again = await raws_of(context, settings, post(events({"id": 2, "text": "贵"}, attempt=2)))
    assert (again[0].key, again[0].digest) == (first[1].key, first[1].digest)


async def test_an_edit_is_a_revision_and_a_fresh_link_is_none(context: Context) -> None:
    settings = settings_of({"id": "$.id", "text": "$.text", "files": "$.photo"})
    bodies = [
        {"id": 1, "text": "1星", "photo": "https://f.example/p.jpg?sig=1", "attempt": 1},
        {"id": 1, "text": "1星", "photo": "https://f.example/p.jpg?sig=2", "attempt": 2},
        {"id": 1, "text": "5星", "photo": "https://f.example/p.jpg?sig=3", "attempt": 1},
    ]
    raws = [(await raws_of(context, settings, post(json.dumps(body))))[0] for body in bodies]
    assert len({raw.key for raw in raws}) == 1
    assert raws[0].digest == raws[1].digest != raws[2].digest
    edited = Raw(key="1", ordinal=2, body=raws[2].body, media_type=raws[2].media_type, received_at=raws[2].received_at)
    (message,) = parsed([edited], settings)
    assert (message.kind, message.external_id) == (Kind.EDITED, "1")


async def test_a_revision_that_is_named_decides_alone(context: Context) -> None:
    settings = settings_of({"id": "$.id", "text": "$.text", "revision": "$.v"})
    bodies = ['{"id":1,"text":"a","v":"1"}', '{"id":1,"text":"b","v":"1"}', '{"id":1,"text":"a","v":"2"}']
    raws = [(await raws_of(context, settings, post(body)))[0] for body in bodies]
    assert raws[0].digest == raws[1].digest != raws[2].digest
    assert [message.revision for message in parsed(raws, settings)] == ["1", "1", "2"]


async def test_without_an_id_the_bytes_are_the_key(context: Context) -> None:
    settings = settings_of({"text": "$.text"})
    (first,) = await raws_of(context, settings, post('{"text": "x"}'))
    (again,) = await raws_of(context, settings, post('{"text": "x"}'))
    (other,) = await raws_of(context, settings, post('{"text":"x"}'))
    assert first.key == again.key != other.key
    assert first.digest == ""


async def test_a_flood_of_items_is_kept_in_one_piece(context: Context) -> None:
    settings = settings_of(EVENTS)
    around = "x" * 100_000
    (raw,) = await raws_of(
        context, settings, post(events(*({"id": at, "text": "慢"} for at in range(900)), pad=around))
    )
    assert len(parsed([raw], settings)) == 900
    many = [{"text": "慢"} for _ in range(1001)]
    (whole,) = await raws_of(context, settings, post(events(*many)))
    ids = [message.external_id for message in parsed([whole], settings)]
    assert len(set(ids)) == 1001, "those without an id get one of their own"


async def test_what_is_not_wanted_is_answered_and_not_stored(context: Context) -> None:
    settings = settings_of({**EVENTS, "only": {"@.type": ["said"], "@.test": [""]}})
    connector = WebhookConnector(settings, context)
    nothing = await connector.receive(post(events({"id": 1, "type": "ping"}, {"id": 2, "type": "said", "test": 1})))
    assert (nothing.raws, nothing.refused, answered(nothing).status) == ([], "", 200)
    (raw,) = (await connector.receive(post(events({"id": 3, "type": "said", "text": "慢"})))).raws
    assert raw.key == "3"
    assert not (await connector.receive(post(events()))).raws


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\x00", b"<xml/>", b"[" * 5000, b"[" * 200 + b"]" * 200, b'{"events": {}}x', b"nul"],
)
async def test_what_cannot_be_read_is_kept_for_a_person(context: Context, body: bytes) -> None:
    settings = settings_of({**EVENTS, "id": "$..id"})
    raws = await raws_of(context, settings, post(body))
    assert [raw.body for raw in raws] in ([body], [])
    for raw in raws:
        with pytest.raises(Exception, match=r"request|JSON|deep"):
            parsed([raw], settings)


async def test_gb18030_and_a_byte_order_mark(context: Context) -> None:
    settings = settings_of({"text": "$.text"})
    for body in ('{"text": "退款𠮷"}'.encode("gb18030"), '\ufeff{"text": "退款𠮷"}'.encode()):
        assert [one.text for one in parsed(await raws_of(context, settings, post(body)), settings)] == ["退款𠮷"]
    form = post(b"text=%CD%CB%BF%EE&text=%BF%EC", media_type=f"{FORM}; charset=gbk")
    assert [one.text for one in parsed(await raws_of(context, settings, form), settings)] == ["退款, 快"]


async def test_a_multipart_form_with_json_in_it(context: Context) -> None:
    settings = settings_of({"id": "$.submissionID", "text": "$.rawRequest.q3", "json_fields": ["rawRequest"]})
    parts = {"submissionID": "55", "rawRequest": '{"q3": "发错货了 😡", "slug": "submit/1"}', "pretty": "…"}
    body = "".join(f'--b1\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts.items())
    media_type = 'multipart/form-data; boundary="b1"'
    (raw,) = await raws_of(context, settings, post(body + "--b1--\r\n", media_type=media_type))
    (message,) = parsed([raw], settings)
    assert (raw.key, message.text) == ("55", "发错货了 😡")
    assert not raw.media_type.startswith("multipart/"), "the house reads those as forms of its own"


@pytest.mark.parametrize("media_type", ["application/vnd.allears.message+json", "message/rfc822", "text/plain", ""])
async def test_the_sender_does_not_choose_who_reads_it(context: Context, media_type: str) -> None:
    (raw,) = await raws_of(context, settings_of({"text": "$.text"}), post('{"text": "x"}', media_type=media_type))
    assert raw.media_type == "application/json"


async def test_the_answer_is_the_configured_one_and_the_same_again(context: Context) -> None:
    answer = {"status": 202, "body": '{"ref": "{reference}"}'}
    settings = settings_of({"text": "$.text", "thread": "$.call", "id": "$.id"}, answer=answer)
    reception = await WebhookConnector(settings, context).receive(post('{"id": 1, "call": "c-9", "text": "慢"}'))
    assert reception.raws[0].thread == "c-9", "so that the answer knows the reference"
    first, again = (
        reception.answer([Accepted(key="1", is_new=is_new, reference=REFERENCE)]) for is_new in (True, False)
    )
    assert first == again
    assert (first.status, first.body) == (202, f'{{"ref": "{REFERENCE}"}}'.encode())


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_other_methods(context: Context, method: str) -> None:
    reception = await WebhookConnector(settings_of({"text": "$.a"}), context).receive(post("{}", method=method))
    answer = answered(reception)
    assert (answer.status, answer.headers["Allow"], bool(reception.refused)) == (405, "POST, PUT", True)


async def test_a_refused_request_stores_nothing(context: Context) -> None:
    connector = WebhookConnector(settings_of({"text": "$.a"}), context)
    reception = await connector.receive(post('{"a": "x"}', headers={"Authorization": "Bearer wrong"}))
    assert (reception.raws, answered(reception).status, reception.refused) == ((), 401, "bad token")
    assert TOKEN not in repr(reception)


META = {"parameter": "hub.challenge", "token_parameter": "hub.verify_token", "token": "verify-01"}


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ([("hub.challenge", "115820"), ("hub.verify_token", "verify-01")], 200, b"115820"),
        ([("hub.challenge", "115820"), ("hub.verify_token", "verify-02")], 403, b""),
        ([("hub.challenge", "115820")], 403, b""),
        ([("hub.verify_token", "verify-01")], 400, b""),
        ([("hub.challenge", "1"), ("hub.challenge", "2"), ("hub.verify_token", "verify-01")], 400, b""),
        ([("hub.challenge", "x" * 1001), ("hub.verify_token", "verify-01")], 400, b""),
        ([("hub.challenge", "a\r\nb"), ("hub.verify_token", "verify-01")], 400, b""),
    ],
)
async def test_handshake_by_get(context: Context, query: list[tuple[str, str]], status: int, body: bytes) -> None:
    connector = WebhookConnector(settings_of({"text": "$.a"}, handshake=META), context)
    answer = answered(await connector.receive(post("", method="GET", query=query)))
    assert (answer.status, answer.body) == (status, body)
    if status == 200:
        assert answer.media_type.startswith("text/plain")
        assert answer.headers == {"X-Content-Type-Options": "nosniff"}


async def test_a_challenge_that_is_to_be_signed(context: Context) -> None:
    """X's CRC: the vector V5 of social.md."""
    crc = {"parameter": "crc_token", "answer_key": "response_token", "secret": "x-consumer-secret-01"}
    connector = WebhookConnector(settings_of({"text": "$.a"}, handshake={**crc, "prefix": "sha256="}), context)
    answer = answered(await connector.receive(post("", method="GET", query=[("crc_token", "crc-token-01")])))
    assert json.loads(answer.body) == {"response_token": "sha256=wyVj4AOLdxdwwzItQiU1jfjtaRZOy1oU9fcIp8hcFn4="}
    other = answered(await connector.receive(post("", method="GET", query=[("crc_token", "crc-token-02")])))
    assert other.body != answer.body


async def test_handshake_by_post_is_verified_first(context: Context) -> None:
    handshake = {"field": "$.challenge", "answer_key": "challenge"}
    connector = WebhookConnector(settings_of({"text": "$.a"}, handshake=handshake), context)
    asked = '{"challenge": "ab\\"c", "type": "url_verification"}'
    reception = await connector.receive(post(asked))
    assert (reception.raws, json.loads(answered(reception).body)) == ((), {"challenge": 'ab"c'})
    forged = await connector.receive(post(asked, headers={"Authorization": ""}))
    assert answered(forged).status == 401
    assert len((await connector.receive(post('{"a": "x"}'))).raws) == 1


async def test_head_is_answered_quietly(context: Context) -> None:
    reception = await WebhookConnector(settings_of({"text": "$.a"}), context).receive(post("", method="HEAD"))
    assert (reception.refused, answered(reception).status) == ("", 200)


async def test_check_says_where_and_how(context: Context) -> None:
    identity = await WebhookConnector(settings_of({"text": "$.a"}), context).check()
    assert identity.account == "/in/support"
    assert "bearer" in identity.details[0]
    public = settings_of({"text": "$.a"}, public_address="https://hear.example.com/in/support")
    assert (await WebhookConnector(public, context).check()).account == "https://hear.example.com/in/support"


async def test_anyone_who_may_post_is_counted(context: Context) -> None:
    connector = WebhookConnector(settings_of({"text": "$.a"}, auth={"method": "none"}), context)
    assert not connector.own_spec.signed
    assert (await connector.check()).details == ("anyone may post",)


@respx.mock
async def test_files_are_fetched_from_their_hosts_alone(context: Context) -> None:
    files = {"hosts": ["api.example.com"], "authorization": "Bearer file-token"}
    connector = WebhookConnector(settings_of({"text": "$.a"}, files=files), context)
    route = respx.get("https://api.example.com/f/1").mock(
        return_value=httpx.Response(200, content=b"jpeg", headers={"Content-Type": "image/jpeg"})
    )
    media = await connector.fetch(Ref(locator={"url": "https://api.example.com/f/1"}))
    assert (media.content, media.media_type) == (b"jpeg", "image/jpeg")
    assert route.calls[0].request.headers["Authorization"] == "Bearer file-token"
    for url in ("https://evil.example/f/1", "https://api.example.com.evil.example/", "https://u@evil.example/", "x"):
        with pytest.raises(Rejected):
            await connector.fetch(Ref(locator={"url": url}))
    assert len(route.calls) == 1


@respx.mock
async def test_the_header_does_not_follow_a_redirect_elsewhere(context: Context) -> None:
    files = {"hosts": ["api.example.com"], "authorization": "Bearer file-token"}
    connector = WebhookConnector(settings_of({"text": "$.a"}, files=files), context)
    respx.get("https://api.example.com/f").mock(
        return_value=httpx.Response(302, headers={"Location": "https://cdn.example.net/f"})
    )
    cdn = respx.get("https://cdn.example.net/f").mock(return_value=httpx.Response(200, content=b"x"))
    assert (await connector.fetch(Ref(locator={"url": "https://api.example.com/f"}))).content == b"x"
    assert "Authorization" not in cdn.calls[0].request.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "file:///etc/passwd",
    ],
)
async def test_files_never_come_from_a_private_network(context: Context, url: str) -> None:
    connector = WebhookConnector(settings_of({"text": "$.a"}), context)
    with pytest.raises(Rejected):
        await connector.fetch(Ref(locator={"url": url}))
