"""python-telegram-bot at our Bot API server: what we test against is what others take for Telegram."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator

import msgspec
import pytest
import telegram as others
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, RetryAfter

from bench.servers.telegram import CONFLICT_WEBHOOK, TOKEN, Telegram
from connectors.telegram import payload
from tests.connectors.telegram.test_telegram_messages import PHOTO


@pytest.fixture
async def bot(telegram: Telegram) -> AsyncIterator[others.Bot]:
    bot = others.Bot(TOKEN, base_url=f"{telegram.url}/bot", base_file_url=f"{telegram.url}/file/bot")
    async with bot:
        yield bot


async def test_it_reads_what_is_said_and_confirms_it_by_asking_on(telegram: Telegram, bot: others.Bot) -> None:
    said = telegram.say("收到的手机屏幕碎了，要求退款", photo=PHOTO, media_group_id="13579")
    telegram.edit(said, "要求全额退款")
    message, edit = await bot.get_updates(limit=10, timeout=0)
    assert message.message
    assert edit.edited_message
    assert (message.message.text, edit.edited_message.text) == ("收到的手机屏幕碎了，要求退款", "要求全额退款")
    assert message.message.api_kwargs == {}, "the server makes up fields"
    assert len(await bot.get_updates(offset=message.update_id + 1, timeout=0)) == 1
    assert len(telegram.queue) == 1


async def test_it_is_known_and_speaks(telegram: Telegram, bot: others.Bot) -> None:
    assert bot.username == "example_shop_bot"
    sent = await bot.send_message(555, "已收到", reply_parameters=others.ReplyParameters(11))
    assert sent.text == "已收到"
    assert telegram.sent[0]["reply_parameters"] == {"message_id": 11}


async def test_it_fetches_files(telegram: Telegram, bot: others.Bot) -> None:
    telegram.add_file("AgAC-l", "photos/file_1.jpg", b"\xff\xd8jpeg")
    assert await (await bot.get_file("AgAC-l")).download_as_bytearray() == b"\xff\xd8jpeg"


async def test_it_sets_and_sees_webhooks(telegram: Telegram, bot: others.Bot) -> None:
    assert await bot.set_webhook("https://hooks.example.com/x", secret_token="s_1", allowed_updates=["message"])
    telegram.say("还没有人回复我")
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == ("https://hooks.example.com/x", 1)
    with pytest.raises(Conflict):
        await bot.get_updates(timeout=0)
    await bot.delete_webhook()
    assert len(await bot.get_updates(timeout=0)) == 1


async def test_it_takes_our_refusals_for_telegrams(
    telegram: Telegram, bot: others.Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # else it warns that it will
    telegram.refuse("getUpdates", 409, CONFLICT_WEBHOOK)
    telegram.refuse("sendMessage", 429, "Too Many Requests: retry after 17", retry_after=17)
    telegram.refuse("sendMessage", 403, "Forbidden: bot was blocked by the user")
    telegram.refuse("sendMessage", 400, "Bad Request: chat not found")
    with pytest.raises(Conflict):
        await bot.get_updates(timeout=0)
    for expected in (RetryAfter, Forbidden, BadRequest):
        with pytest.raises(expected):
            await bot.send_message(555, "x")


async def test_it_is_refused_with_another_token(telegram: Telegram) -> None:
    with pytest.raises(InvalidToken):
        async with others.Bot("123456789:AAwrong", base_url=f"{telegram.url}/bot"):
            raise AssertionError("it came in")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (payload.Update, others.Update),
        (payload.Post, others.Message),
        (payload.User, others.User),
        (payload.Chat, others.Chat),
        (payload.Contact, others.Contact),
        (payload.Location, others.Location),
        (payload.Venue, others.Venue),
        (payload.Poll, others.Poll),
        (payload.Entity, others.MessageEntity),
        (payload.Deleted, others.BusinessMessagesDeleted),
        (payload.Webhook, others.WebhookInfo),
        (payload.FilePath, others.File),
    ],
)
def test_the_fields_we_read_are_those_others_know(ours: type[msgspec.Struct], theirs: type) -> None:
    known = {name.removesuffix("_user") for name in inspect.signature(theirs).parameters}
    missing = set(ours.__struct_encode_fields__) - known - {"from"}
    assert not missing, f"Telegram's {theirs.__name__} has no {missing}"
