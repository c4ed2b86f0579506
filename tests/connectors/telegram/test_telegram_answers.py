"""What is fetched after a message, and what is said back."""

from __future__ import annotations

import pytest

from allears_sdk.connector import Address, Media
from allears_sdk.errors import AuthError, InDoubt, Rejected, RetryLater, Void
from allears_sdk.message import Author, Ref
from allears_sdk.testing.clock import START
from bench.servers.telegram import TOKEN, Telegram
from tests.connectors.telegram.conftest import Connect

TEXT = "我们已收到您的反馈，编号：ALE-7K3M-Q9TX-4RWD"


def make_ref(file_id: str = "AgAC-l") -> Ref:
    return Ref(locator={"file_id": file_id, "name": "photo-12.jpg"})


def make_address(message: str = "555/12") -> Address:
    return Address(
        to=Author(id="555"), message=message, said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START, language="zh"
    )


async def test_a_file_is_fetched(telegram: Telegram, connect: Connect) -> None:
    telegram.add_file("AgAC-l", "photos/file 1.jpg", b"\xff\xd8jpeg")
    media = await (await connect()).fetch(make_ref())
    assert media == Media(content=b"\xff\xd8jpeg", name="photo-12.jpg")


async def test_a_file_that_is_gone_is_never_asked_for_again(telegram: Telegram, connect: Connect) -> None:
    connector = await connect()
    with pytest.raises(Rejected, match="wrong file_id"):
        await connector.fetch(make_ref("unknown"))


async def test_a_file_whose_path_leads_nowhere(
    telegram: Telegram, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def elsewhere(given: dict[str, object]) -> dict[str, object]:
        return {"file_id": given["file_id"], "file_path": "photos/file_99.jpg"}

    monkeypatch.setattr(telegram, "_getFile", elsewhere)
    with pytest.raises(Rejected, match="does not have this file any more"):
        await (await connect()).fetch(make_ref())


async def test_a_file_on_the_disk_of_a_server_of_ones_own(
    telegram: Telegram, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def local(given: dict[str, object]) -> dict[str, object]:
        return {"file_id": given["file_id"], "file_path": "/etc/passwd"}

    monkeypatch.setattr(telegram, "_getFile", local)
    with pytest.raises(Rejected, match="--local"):
        await (await connect()).fetch(make_ref())


@pytest.mark.parametrize("limit", ["max_file_bytes", "max_attachment_bytes"])
async def test_no_more_than_is_wanted_is_fetched(telegram: Telegram, connect: Connect, limit: str) -> None:
    telegram.add_file("AgAC-l", "videos/file_1.mp4", b"x" * 2_000_000)
    with pytest.raises(Rejected, match=r"2\.0 MB is more than is fetched"):
        await (await connect(**{limit: 1_000_000})).fetch(make_ref())


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [(429, "Too Many Requests: retry after 5", RetryLater), (401, "Unauthorized", AuthError)],
)
async def test_a_fetch_that_may_come_later(
    telegram: Telegram, connect: Connect, code: int, said: str, expected: type[Exception]
) -> None:
    telegram.refuse("getFile", code, said)
    with pytest.raises(expected):
        await (await connect()).fetch(make_ref())


async def test_an_answer_quotes_what_it_answers(telegram: Telegram, connect: Connect) -> None:
    await (await connect()).reply(make_address(), TEXT, "K-1")
    assert telegram.sent == [
        {
            "chat_id": 555,
            "text": TEXT,
            "reply_parameters": {"message_id": 12, "allow_sending_without_reply": True},
            "link_preview_options": {"is_disabled": True},
        }
    ]


async def test_an_answer_for_a_business_account(telegram: Telegram, connect: Connect) -> None:
    await (await connect()).reply(make_address("conn:1:555/12"), TEXT, "K-1")
    assert telegram.sent[0]["business_connection_id"] == "conn:1"


async def test_a_group_that_moved_is_answered_where_it_is(telegram: Telegram, connect: Connect) -> None:
    said = "Bad Request: group chat was upgraded to a supergroup chat"
    telegram.refuse("sendMessage", 400, said, migrate_to_chat_id=-1009)
    await (await connect()).reply(make_address("-77/12"), TEXT, "K-1")
    assert [one["chat_id"] for one in telegram.sent] == [-1009]


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (403, "Forbidden: bot was blocked by the user", Void),
        (403, "Forbidden: bot was kicked from the supergroup chat", Void),
        (400, "Bad Request: not enough rights to send text messages to the chat", Rejected),
        (429, "Too Many Requests: retry after 3", RetryLater),
        (500, "Internal Server Error", InDoubt),
        (401, "Unauthorized", AuthError),
    ],
)
async def test_what_hinders_an_answer(
    telegram: Telegram, connect: Connect, code: int, said: str, expected: type[Exception]
) -> None:
    connector = await connect()
    telegram.refuse("sendMessage", code, said, **({"retry_after": 3} if code == 429 else {}))
    with pytest.raises(expected) as caught:
        await connector.reply(make_address(), TEXT, "K-1")
    assert TOKEN not in f"{caught.value} {getattr(caught.value, 'detail', '')}"
    assert telegram.calls["sendMessage"] == 1, "an answer was sent twice"


@pytest.mark.parametrize("message", ["", "abc", "555", "x/12", "555/x"])
async def test_what_is_not_telegrams_cannot_be_answered(connect: Connect, message: str) -> None:
    with pytest.raises(Void):
        await (await connect()).reply(make_address(message), TEXT, "K-1")


async def test_a_long_answer_fits(telegram: Telegram, connect: Connect) -> None:
    await (await connect()).reply(make_address(), "长" * 5000, "K-1")
    assert len(telegram.sent[0]["text"]) == 4096
