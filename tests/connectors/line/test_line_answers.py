"""What is asked for afterwards, and what is said back."""

from __future__ import annotations

import pytest

from allears_sdk.connector import Address, Words
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Author, Ref
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.line import LineConnector
from tests.connectors.line.conftest import GROUP, USER, Connect, make_text
from tests.connectors.line.line_server import SECRET, LineServer, deliver

TEXT = "我们已收到您的反馈，编号：ALE-7K3M-Q9TX-4RWD"
FILE = Ref(locator={"message": "35471", "name": "a.jpg"})


def make_address(message: str, room: str = USER) -> Address:
    return Address(
        to=Author(id=USER), message=message, thread=(room,), said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START
    )


async def hear(connector: LineConnector, line: LineServer, token: str = "nHuy") -> Address:
    """A message is delivered, and may be answered."""
    event = make_text("屏幕碎了", replyToken=token)
    line.reply_tokens.add(token)
    await connector.receive(deliver(event))
    return make_address(event["message"]["id"])


async def test_a_prompt_answer_is_free(connect: Connect, line: LineServer) -> None:
    connector = connect()
    await connector.reply(await hear(connector, line), TEXT, "K-1")
    assert line.replied == [{"replyToken": "nHuy", "messages": [{"type": "text", "text": TEXT}]}]
    assert line.pushed == []


async def test_the_newest_token_of_the_chat_serves(connect: Connect, line: LineServer, clock: FakeClock) -> None:
    connector = connect()
    address = await hear(connector, line, "first")
    line.reply_tokens.clear()
    await hear(connector, line, "second")
    again = make_text("屏幕碎了", replyToken="first", deliveryContext={"isRedelivery": True})
    await connector.receive(deliver(again))
    await connector.reply(address, TEXT, "K-1")
    assert [said["replyToken"] for said in line.replied] == ["second"]


async def test_a_late_answer_is_pushed(connect: Connect, line: LineServer, clock: FakeClock) -> None:
    connector = connect()
    address = await hear(connector, line)
    clock.advance(51)
    await connector.reply(address, TEXT, "K-1")
    assert (line.replied, line.pushed) == ([], [{"to": USER, "messages": [{"type": "text", "text": TEXT}]}])


async def test_a_token_that_lived_shorter_is_no_hindrance(connect: Connect, line: LineServer) -> None:
    connector = connect()
    address = await hear(connector, line)
    line.reply_tokens.clear()
    await connector.reply(address, TEXT, "K-1")
    assert len(line.pushed) == 1


async def test_after_a_restart_and_in_a_group_it_is_pushed(connect: Connect, line: LineServer) -> None:
    await connect().reply(make_address("468", GROUP), TEXT, "K-1")
    assert line.pushed[0]["to"] == GROUP


async def test_pushes_can_be_forbidden(connect: Connect, line: LineServer) -> None:
    with pytest.raises(Void, match="push_answers"):
        await connect(push_answers=False).reply(make_address("468"), TEXT, "K-1")
    assert line.pushed == []


async def test_nobody_knows_whether_a_lost_answer_was_heard(connect: Connect, line: LineServer) -> None:
    connector = connect()
    address = await hear(connector, line)
    line.lost_answers = 1
    with pytest.raises(InDoubt):
        await connector.reply(address, TEXT, "K-1")
    assert (len(line.replied), line.pushed) == (1, [])


async def test_a_push_whose_answer_is_lost_is_sent_once(connect: Connect, line: LineServer) -> None:
    connector = connect()
    line.lost_answers = 1
    await connector.reply(make_address("468"), TEXT, "K-1")
    await connector.reply(make_address("468"), TEXT, "K-1")
    await connector.reply(make_address("469"), TEXT, "K-2")
    assert len(line.pushed) == 2


async def test_a_long_answer_is_cut_where_line_counts(connect: Connect, line: LineServer) -> None:
    await connect().reply(make_address("468"), "😡" * 3000, "K-1")
    assert line.pushed[0]["messages"][0]["text"] == "😡" * 2500


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, "The request body has 1 error(s)", Rejected),
        (401, "Authentication failed", AuthError),
        (403, "Access to this API is not available for your account", ConfigError),
        (429, "The API rate limit has been exceeded", RetryLater),
        (429, "You have reached your monthly limit.", Rejected),
    ],
)
async def test_what_hinders_a_push(
    connect: Connect, line: LineServer, status: int, said: str, expected: type[Exception]
) -> None:
    line.fail("/push", status, said)
    line.tokens.append("long-lived-token-7f3a")
    connector = connect(channel_id="", access_token="long-lived-token-7f3a")
    with pytest.raises(expected):
        await connector.reply(make_address("468"), TEXT, "K-1")


async def test_without_a_token_nothing_is_answered(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="channel_id"):
        await connect(channel_id="").reply(make_address("468"), TEXT, "K-1")


async def test_one_token_serves_until_it_ends(connect: Connect, line: LineServer, clock: FakeClock) -> None:
    connector = connect()
    for message in ("1", "2"):
        await connector.reply(make_address(message), TEXT, f"K-{message}")
    assert len(line.tokens) == 1
    clock.advance(601)
    await connector.reply(make_address("3"), TEXT, "K-3")
    line.revoked.add(line.tokens[-1])
    await connector.reply(make_address("4"), TEXT, "K-4")
    assert (len(line.tokens), len(line.pushed)) == (3, 4)


async def test_a_secret_of_another_channel(connect: Connect) -> None:
    with pytest.raises(AuthError, match="both of this channel") as caught:
        await connect(channel_id="999").check()
    assert SECRET not in f"{caught.value} {caught.value.detail}"


async def test_check_says_who_we_are(connect: Connect, line: LineServer) -> None:
    found = await connect().check()
    assert found.account == "@216ru (晨光商城)"
    assert found.details == (Words("pushes to https://shop.example.com/in/line", zh=""),)
    line.webhook = {"endpoint": "https://shop.example.com/in/line", "active": False}
    with pytest.raises(ConfigError, match="switched off"):
        await connect().check()
    line.webhook = None
    with pytest.raises(ConfigError, match="no webhook URL"):
        await connect().check()


async def test_a_large_video_is_prepared_first(connect: Connect, line: LineServer) -> None:
    connector = connect()
    line.preparing["35471"] = "processing"
    with pytest.raises(Unavailable, match="preparing"):
        await connector.fetch(FILE)
    line.preparing["35471"] = "failed"
    with pytest.raises(Rejected, match="could not prepare"):
        await connector.fetch(FILE)


async def test_no_more_than_is_wanted_is_fetched(connect: Connect, line: LineServer) -> None:
    line.files["35471"] = b"x" * 2000
    with pytest.raises(Rejected, match="larger than 1000"):
        await connect(max_attachment_bytes=1000).fetch(FILE)


async def test_a_name_is_asked_for(connect: Connect, line: LineServer) -> None:
    line.profiles |= {f"profile/{USER}": "李雷 ☀", f"group/{GROUP}/member/{USER}": "Brown"}
    connector = connect()
    assert await connector.fetch(Ref(locator={"user": USER})) == Author(name="李雷 ☀")
    assert await connector.fetch(Ref(locator={"user": USER, "group": GROUP})) == Author(name="Brown")
    with pytest.raises(Rejected, match="blocked"):
        await connector.fetch(Ref(locator={"user": "Uother"}))
