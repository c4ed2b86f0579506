"""The webhook: what proves a push, when it is set, and that a push delivered again brings nothing new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Batch
from allears_sdk.errors import ConfigError
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from bench.servers.telegram import TOKEN, Telegram
from connectors.telegram import TelegramConnector
from connectors.telegram.payload import HEARD
from tests.connectors.telegram.conftest import HOOK_URL, SECRET, Connect, make_settings
from tests.connectors.telegram.test_telegram_contract import make_push

PUSHED = {"webhook_url": HOOK_URL, "webhook_secret": SECRET}


@pytest.fixture
async def connector(connect: Connect) -> TelegramConnector:
    return await connect(**PUSHED)


class Room:
    """Our public room in small: stores, then answers; out of order for as long as it is `broken`."""

    def __init__(self, connector: TelegramConnector, journal: MiniJournal) -> None:
        self.connector = connector
        self.journal = journal
        self.broken = 0
        self.is_slow = False

    async def handle(self, request: web.Request) -> web.Response:
        if self.broken:
            self.broken -= 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        secret = request.headers["X-Telegram-Bot-Api-Secret-Token"]
        reception = await self.connector.receive(make_push(await request.read(), secret=secret))
        assert not reception.refused
        self.journal.accept("", Batch(raws=reception.raws))
        answer = reception.answer([])
        return web.Response(status=answer.status, body=answer.body)


@pytest.fixture
async def room(connector: TelegramConnector, journal: MiniJournal) -> AsyncIterator[tuple[Room, str]]:
    room = Room(connector, journal)
    app = web.Application()
    app.router.add_post("/in/support", room.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield room, f"http://127.0.0.1:{runner.addresses[0][1]}/in/support"
    await runner.cleanup()


async def until_pushed(telegram: Telegram) -> None:
    async with asyncio.timeout(10):
        while telegram.queue:  # noqa: ASYNC110 - the other side's queue rings no bell
            await asyncio.sleep(0.02)


async def test_pushes_are_repeated_until_stored_and_stored_once(
    telegram: Telegram, room: tuple[Room, str], journal: MiniJournal
) -> None:
    house, url = room
    house.broken = 5
    telegram.repeats_pushes = True
    said = [telegram.say(f"第{number}条：快递没到", date=1750000000 + number) for number in range(20)]
    telegram.edit(said[0], "第0条：快递到了，但是坏的")
    await telegram._setWebhook({"url": url, "secret_token": SECRET})
    await until_pushed(telegram)
    assert len(journal.raws) == 21
    assert telegram.pushes[503] == 5
    assert telegram.pushes[200] > 21, "none was pushed again"
    assert {message["text"] for message in said} <= {_text(raw.body) for raw in journal.raws}


async def test_what_was_asked_for_before_is_not_new_when_pushed(
    telegram: Telegram, connect: Connect, journal: MiniJournal
) -> None:
    telegram.say("屏幕碎了")
    asked = await connect()
    await hear(asked, journal)
    pushed = TelegramConnector(make_settings(telegram.url, **PUSHED), asked.context)
    reception = await pushed.receive(make_push(json.dumps(telegram.queue[0]).encode()))
    assert [raw.key for raw in reception.raws] == [raw.key for raw in journal.raws]


@pytest.mark.parametrize("secret", ["", "guess", SECRET[:-1], f"{SECRET} ", SECRET.upper(), "推送密码推送密码推送密码"])
async def test_what_proves_nothing_is_refused(connector: TelegramConnector, secret: str) -> None:
    reception = await connector.receive(make_push(b'{"update_id": 1}', secret=secret))
    assert reception.refused
    assert (list(reception.raws), reception.answer([]).status) == ([], 401)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
async def test_only_posts_bring_something(connector: TelegramConnector, method: str) -> None:
    assert (await connector.receive(make_push(b'{"update_id": 1}', method=method))).refused


async def test_two_secrets_are_none(connector: TelegramConnector) -> None:
    push = make_push(b"{}")
    twice = type(push)(
        method="POST", path="", query=(), headers=(*push.headers, ("x-telegram-bot-api-secret-token", "other")),
        body=push.body, remote_address=push.remote_address, received_at=push.received_at,
    )  # fmt: skip
    assert (await connector.receive(twice)).refused


async def test_a_bot_that_is_asked_takes_no_pushes(connect: Connect) -> None:
    connector = await connect()
    assert (await connector.receive(make_push(b'{"update_id": 1}', secret=""))).answer([]).status == 401


async def test_the_answer_is_empty_and_always_the_same(connector: TelegramConnector) -> None:
    """What stood in it, Telegram would carry out as a method."""
    body = json.dumps({"update_id": 1, "message": {"text": '{"method":"sendMessage"}'}}).encode()
    answers = [(await connector.receive(make_push(body))).answer([]) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 2


async def test_the_webhook_is_set_once(
    telegram: Telegram, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = await connect(**PUSHED)
    await hear(connector, journal)
    assert telegram.hook == {"url": HOOK_URL, "secret_token": SECRET, "allowed_updates": list(HEARD)}
    clock.advance(600)
    await hear(connector, journal)
    await hear(await connect(**PUSHED), journal)
    assert (telegram.calls["setWebhook"], telegram.calls["getUpdates"]) == (1, 0)


@pytest.mark.parametrize("change", [{"webhook_secret": "another-secret_0123456"}, {"webhook_url": f"{HOOK_URL}-2"}])
async def test_another_secret_or_address_is_set_anew(
    telegram: Telegram, connect: Connect, journal: MiniJournal, change: dict[str, Any]
) -> None:
    await hear(await connect(**PUSHED), journal)
    await hear(await connect(**{**PUSHED, **change}), journal)
    assert telegram.calls["setWebhook"] == 2


async def test_a_webhook_that_vanished_is_set_again(
    telegram: Telegram, connector: TelegramConnector, journal: MiniJournal, clock: FakeClock
) -> None:
    await hear(connector, journal)
    await telegram._deleteWebhook({})
    clock.advance(301)
    await hear(connector, journal)
    assert telegram.hook["url"] == HOOK_URL


async def test_another_systems_webhook_is_not_taken_from_it(
    telegram: Telegram, connector: TelegramConnector, journal: MiniJournal
) -> None:
    telegram.hook = {"url": f"https://crm.example.com/{TOKEN}"}
    for attempt in (hear(connector, journal), connector.check()):
        with pytest.raises(ConfigError, match=r"crm\.example\.com") as caught:
            await attempt
        assert TOKEN not in str(caught.value)
    assert telegram.calls["setWebhook"] == 0


async def test_an_address_telegram_does_not_take(telegram: Telegram, connect: Connect, journal: MiniJournal) -> None:
    with pytest.raises(ConfigError, match="HTTPS URL must be provided"):
        await hear(await connect(webhook_url="http://hooks.example.com/in/x", webhook_secret=SECRET), journal)


async def test_what_hinders_telegram_is_logged_once(
    telegram: Telegram, connector: TelegramConnector, journal: MiniJournal, log: RecordingLog, clock: FakeClock
) -> None:
    await hear(connector, journal)
    telegram._stop_pushing()
    telegram.say("还没人回复")
    telegram.last_error = "Connection timed out"
    clock.advance(301)
    await hear(connector, journal)
    assert [facts for _, event, facts in log.entries if event == "webhook_fails"] == [
        {"waiting": 1, "reason": "Connection timed out"}
    ]
    assert "1 updates wait; its last error: Connection timed out" in (await connector.check()).details[1]


async def test_check_before_the_first_run_changes_nothing(telegram: Telegram, connector: TelegramConnector) -> None:
    assert (await connector.check()).details[1] == f"pushed to {HOOK_URL}: set when allears runs"
    assert telegram.hook == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"webhook_url": HOOK_URL}, "belong together"),
        ({"webhook_secret": SECRET}, "belong together"),
        ({"webhook_url": HOOK_URL, "webhook_secret": "short"}, "16 to 256"),
        ({"webhook_url": HOOK_URL, "webhook_secret": "umlaut-ü-0123456789"}, "16 to 256"),
        ({"webhook_url": "hooks.example.com"}, "pattern"),
        ({"token": "no token"}, "@BotFather"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        make_settings(**settings)
    assert "short" not in str(caught.value)
    assert "no token" not in str(caught.value)


def _text(body: bytes) -> str:
    update = json.loads(body)
    return str((update.get("message") or update.get("edited_message"))["text"])
