from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from aiohttp import web
from pydantic import SecretStr, ValidationError
from standardwebhooks.webhooks import Webhook

from allears_sdk.complaint import Event, EventKind, Said
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.message import Role
from allears_sdk.remote import Remote
from allears_sdk.signing import verify_standard
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing import FakeClock, make_context
from allears_sdk.testing.records import AT, make_event
from sink.webhook import WebhookSettings, WebhookSink

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = "ALE-7K3M-Q9TX-4RWD-AB12CD"
Make = Callable[..., WebhookSink]


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


@dataclass
class Receiver:
    """A real server that answers as told, and keeps what it got."""

    url: str = ""
    fault: str = ""
    status: int = 204
    answer_headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if request.method == "HEAD":
            return web.Response(status=405)
        self.connections.add(id(request.transport))
        if self.fault == "cut while reading":
            await request.content.read(10)
            request.transport.abort()
            return web.Response()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        if self.fault == "cut before answering":
            request.transport.abort()
        if self.fault == "hang":
            await asyncio.sleep(30)
        if self.fault == "cut while answering":
            response = web.StreamResponse(headers={"content-length": "100"})
            await response.prepare(request)
            await response.write(b"{")
            request.transport.abort()
            return response
        return web.Response(status=self.status, headers=self.answer_headers, text="谢谢" * 10)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=32 << 20)
    app.router.add_route("*", "/hook", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def make(receiver: Receiver, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Make]:
    remote = Remote(clock=clock, sleep=clock.sleep)

    def one(**settings: Any) -> WebhookSink:
        values = {"url": receiver.url, "secret": SECRET, "allow_private_network": True, **settings}
        return WebhookSink(
            WebhookSettings(sink="webhook", **values), make_context("crm", tmp_path, clock=clock, remote=remote)
        )

    yield one
    await remote.aclose()


async def deliver(sink: WebhookSink, event: Event | None = None) -> Ticket:
    return await sink.open(sink.render(event or make_event(), KEY), KEY, PROGRESS)


async def test_receiver_gets_a_signed_cloud_event(make: Make, receiver: Receiver, clock: FakeClock) -> None:
    event = make_event()
    ticket = await deliver(make(headers={"Authorization": "Bearer gate-token"}), event)
    headers, body = receiver.got[0]
    assert ticket.id == KEY
    assert headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
    assert headers["authorization"] == "Bearer gate-token"
    verify_standard(
        [SECRET],
        webhook_id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signature=headers["webhook-signature"],
        body=body,
        now=clock.now(),
    )
    envelope = json.loads(body)
    data = envelope.pop("data")
    assert envelope == {
        "specversion": "1.0",
        "id": KEY,
        "source": "urn:allears:crm",
        "type": "complaint.created.v1",
        "subject": event.complaint_id,
        "time": "2026-11-22T04:00:42Z",
        "datacontenttype": "application/json",
    }
    assert data["complaint"]["attachments"] == [
        {
            "name": "碎屏 照片.jpg",
            "media_type": "image/jpeg",
            "size": 48211,
            "sha256": "9f" * 32,
            "skipped": "",
            "pending": False,
            "message": "",
        }
    ]
    assert "屏幕碎了😡" in body.decode()


async def test_official_receiver_library_accepts_it(make: Make, receiver: Receiver, clock: FakeClock) -> None:
    import time

    clock.advance(time.time() - clock.now().timestamp())
    await deliver(make())
    headers, body = receiver.got[0]
    assert Webhook(SECRET).verify(body.decode(), headers)["id"] == KEY


async def test_a_repetition_has_the_same_bytes_and_id_but_its_own_time(
    make: Make, receiver: Receiver, clock: FakeClock
) -> None:
    sink = make(previous_secret=OLD_SECRET)
    payload = sink.render(make_event(), KEY)
    for _ in range(2):
        await sink.open(payload, KEY, PROGRESS)
        clock.advance(600)
    (first, body), (second, again) = receiver.got
    assert body == again == payload
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 600
    for headers in (first, second):
        for secret in (SECRET, OLD_SECRET):
            verify_standard(
                [secret],
                webhook_id=KEY,
                timestamp=headers["webhook-timestamp"],
                signature=headers["webhook-signature"],
                body=body,
                now=clock.now(),
                tolerance=clock.now() - AT,
            )


async def test_connections_are_reused(make: Make, receiver: Receiver) -> None:
    sink = make()
    for _ in range(5):
        await deliver(sink)
    assert len(receiver.connections) == 1


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (EventKind.FOLLOWED_UP, "complaint.updated.v1"),
        (EventKind.EDITED, "complaint.updated.v1"),
        (EventKind.WITHDRAWN, "complaint.withdrawn.v1"),
    ],
)
async def test_later_events(make: Make, receiver: Receiver, kind: EventKind, type_: str) -> None:
    sink = make()
    await sink.follow_up(Ticket(id=KEY), sink.render(make_event(2, kind=kind), KEY), KEY, PROGRESS)
    assert json.loads(receiver.got[0][1])["type"] == type_


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_success(make: Make, receiver: Receiver, status: int) -> None:
    receiver.status = status
    await deliver(make())


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, ConfigError),
        (302, InDoubt),
        (303, InDoubt),
        (307, InDoubt),
        (308, ConfigError),
        (400, Rejected),
        (401, AuthError),
        (403, Rejected),
        (404, Rejected),
        (408, InDoubt),
        (410, ConfigError),
        (413, Rejected),
        (422, Rejected),
        (425, RetryLater),
        (429, RetryLater),
        (500, InDoubt),
        (502, InDoubt),
        (503, RetryLater),
        (504, InDoubt),
    ],
)
async def test_what_other_answers_ask_for(
    make: Make, receiver: Receiver, status: int, error: type[AllearsError]
) -> None:
    receiver.status = status
    receiver.answer_headers = {"location": receiver.url}
    with pytest.raises(error) as caught:
        await deliver(make())
    assert type(caught.value) is error
    assert str(status) in str(caught.value)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("Sun, 22 Nov 2026 04:05:00 GMT", 300.0), ("", None), ("soon", None), ("-5", None)],
)
async def test_retry_after(make: Make, receiver: Receiver, value: str, seconds: float | None) -> None:
    receiver.status = 429
    receiver.answer_headers = {"retry-after": value}
    with pytest.raises(RetryLater) as caught:
        await deliver(make())
    assert caught.value.after_seconds == seconds


@pytest.mark.parametrize("fault", ["cut while reading", "cut before answering", "cut while answering", "hang"])
async def test_a_lost_answer_is_in_doubt_and_sending_again_resolves_it(
    make: Make, receiver: Receiver, fault: str
) -> None:
    receiver.fault = fault
    sink = make(timeout_seconds=1)
    large = replace(make_event(), record=replace(make_event().record, description="裂" * 60_000))
    with pytest.raises(InDoubt):
        await deliver(sink, large)
    receiver.fault = ""
    await deliver(sink, large)
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {KEY}
    assert len({body for _, body in receiver.got}) == 1


async def test_a_connection_the_server_dropped_while_idle_is_in_doubt_not_surely_undone(
    make: Make, receiver: Receiver
) -> None:
    sink = make()
    await deliver(sink)
    receiver.fault = "cut before answering"
    with pytest.raises(InDoubt):
        await deliver(sink)
    assert len(receiver.got) == 2


async def test_nobody_listens(make: Make) -> None:
    with pytest.raises(Unavailable):
        await deliver(make(url="http://127.0.0.1:1/hook"))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost:1/", "http://10.1.2.3/", "http://169.254.169.254/"],
)
async def test_private_targets_need_permission(make: Make, url: str) -> None:
    sink = make(url=url, allow_private_network=False)
    with pytest.raises(ConfigError, match="allow_private_network"):
        await deliver(sink)
    with pytest.raises(ConfigError, match="allow_private_network"):
        await sink.check()


async def test_check_takes_any_answer(make: Make, receiver: Receiver) -> None:
    identity = await make(url=receiver.url + "?token=tok-secret").check()
    assert identity.account == receiver.url
    assert not receiver.got


@pytest.mark.parametrize("key", ["ALE.1", "", "ALE 1", "工单"])
async def test_a_key_that_is_no_webhook_id_is_refused(make: Make, receiver: Receiver, key: str) -> None:
    sink = make()
    with pytest.raises(Rejected):
        await sink.open(sink.render(make_event(), key), key, PROGRESS)
    assert not receiver.got


async def test_large_events_lose_the_conversation_first_and_say_so(make: Make) -> None:
    event = make_event()
    said = tuple(
        Said(id=f"m{number}", role=Role.CUSTOMER, author="李雷", at=AT, text="还没人理我！" * 500)
        for number in range(40)
    )
    sink = make(max_body_bytes=65_536)
    body = sink.render(replace(event, record=replace(event.record, conversation=said)), KEY)
    assert len(body) <= 65_536
    data = json.loads(body)["data"]
    assert data["shortened"] == ["conversation", "provenance"]
    assert data["complaint"]["description"] == event.record.description
    huge = replace(event, changes={"description": ("旧" * 50_000, "新" * 50_000)})
    body = sink.render(replace(huge, record=replace(huge.record, description="新" * 50_000)), KEY)
    assert json.loads(body)["data"]["complaint"]["description"] == "新" * 1000
    assert json.loads(sink.render(event, KEY))["data"].keys() == {"event", "complaint"}


@pytest.mark.parametrize(
    "bad",
    [
        {"secret": "not a secret"},
        {"secret": "whsec_c2hvcnQ="},
        {"previous_secret": "whsec_c2hvcnQ="},
        {"url": "ftp://example.com"},
        {"url": "https://exa mple.com"},
        {"headers": {"Webhook-Id": "x"}},
        {"headers": {"X-Key": "c2hvcnQ=\r\nHost: x"}},
        {"headers": {"X-Key": "网关 c2hvcnQ="}},
        {"headers": {"X Key": "x"}},
        {"sercet": SECRET},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    good = {"sink": "webhook", "url": "https://example.com/hook", "secret": SECRET}
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({**good, **bad})
    assert SECRET not in str(caught.value)
    assert "c2hvcnQ=" not in str(caught.value)


async def test_secrets_stay_inside(make: Make, receiver: Receiver) -> None:
    receiver.status = 500
    sink = make(headers={"x-api-key": SecretStr("k-3f9a7c51e2")}, url=receiver.url + "?token=tok-secret")
    with pytest.raises(InDoubt) as caught:
        await deliver(sink)
    shown = repr(caught.value) + caught.value.detail + repr(sink.settings) + repr(vars(sink))
    assert "tok-secret" not in repr(caught.value) + caught.value.detail
    for secret in (SECRET, SECRET[6:], "k-3f9a7c51e2"):
        assert secret not in shown


async def test_shape_at_a_hosted_receiver(tmp_path: Path, clock: FakeClock) -> None:
    remote = Remote(clock=clock, transport=httpx.AsyncHTTPTransport)
    settings = WebhookSettings(sink="webhook", url="https://tickets.example.com/hooks/1", secret=SecretStr(SECRET))
    sink = WebhookSink(settings, make_context("crm", tmp_path, clock=clock, remote=remote))
    with respx.mock(using="httpx") as router:
        route = router.post("https://tickets.example.com/hooks/1").respond(202)
        await deliver(sink)
        assert route.call_count == 1
        assert route.calls.last.request.headers["webhook-timestamp"] == "1795320000"
    await remote.aclose()
