"""Files with the bot's token, and names of people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from allears_sdk.connector import Media
from allears_sdk.errors import AllearsError, AuthError, Rejected, RetryLater, Unavailable
from allears_sdk.message import Author, Ref
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.slack import SlackConnector
from tests.connectors.slack.conftest import Connect
from tests.connectors.slack.slack_payloads import BOT_TOKEN, KIM, LI_LEI, SUPPORT
from tests.connectors.slack.slack_server import SlackServer

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@pytest.fixture
async def connector(connect: Connect) -> SlackConnector:
    return await connect()


async def ref_in(connector: SlackConnector, slack: SlackServer, file: dict[str, Any]) -> Ref:
    slack.say("看图", files=[file])
    journal = MiniJournal()
    await hear(connector, journal)
    ((message,),) = (connector.parse(raw, connector.settings) for raw in journal.raws)
    (attachment,) = message.attachments
    assert attachment.ref is not None
    return Ref(locator=json.loads(json.dumps(attachment.ref.locator)))  # as it is kept


async def test_a_file_comes_with_its_name_and_type(connector: SlackConnector, slack: SlackServer) -> None:
    ref = await ref_in(connector, slack, slack.put_file("碎屏 1.png", PICTURE))
    assert BOT_TOKEN not in str(ref)
    assert await connector.fetch(ref) == Media(content=PICTURE, media_type="image/png")


async def test_a_file_of_a_shared_channel(connector: SlackConnector, slack: SlackServer) -> None:
    known = slack.put_file("voice.m4a", b"\x00\x01", "audio/mp4")
    ref = await ref_in(connector, slack, {"id": known["id"], "file_access": "check_file_info"})
    media = await connector.fetch(ref)
    assert isinstance(media, Media)
    assert (media.content, media.media_type) == (b"\x00\x01", "audio/mp4")


async def test_the_log_in_page_is_not_taken_for_the_file(connector: SlackConnector, slack: SlackServer) -> None:
    ref = await ref_in(connector, slack, slack.put_file("1.png", PICTURE))
    slack.scopes = "channels:history"
    with pytest.raises(AuthError, match="files:read"):
        await connector.fetch(ref)


async def test_a_page_that_somebody_sent_is_a_file(connector: SlackConnector, slack: SlackServer) -> None:
    ref = await ref_in(connector, slack, slack.put_file("order.html", b"<p>77</p>", "text/html"))
    media = await connector.fetch(ref)
    assert isinstance(media, Media)
    assert media.content == b"<p>77</p>"


async def test_a_file_that_is_gone_or_too_large(connect: Connect, slack: SlackServer) -> None:
    connector = await connect(max_attachment_bytes=1000)
    large = await ref_in(connector, slack, slack.put_file("1.png", PICTURE))
    with pytest.raises(Rejected, match="larger"):
        await connector.fetch(large)
    slack.files.clear()
    with pytest.raises(Rejected, match="404"):
        await connector.fetch(large)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/1.png",
        "https://files.slack.com.evil.example.com/1.png",
        "https://files.slack.com@evil.example.com/1.png",
        "https://evilslack.com/1.png",
        "http://files.slack.com/1.png",
        "//files.slack.com/1.png",
        "https://[/1.png",
        "file:///etc/passwd",
        "",
    ],
)
async def test_the_token_goes_to_slack_alone(connector: SlackConnector, slack: SlackServer, url: str) -> None:
    locator = {"file": "F1", "channel": SUPPORT, "url": url}
    slack.files["F1"] = ("image/png", PICTURE)
    if url:
        with pytest.raises(Rejected):
            await connector.fetch(Ref(locator=locator))
    else:
        assert isinstance(await connector.fetch(Ref(locator=locator)), Media)


async def test_people_are_asked_for_once(connector: SlackConnector, slack: SlackServer) -> None:
    ref = Ref(locator={"user": LI_LEI, "channel": SUPPORT})
    expected = Author(id=LI_LEI, name="李雷", handle="lilei", email="lilei@mail.example.cn")
    assert [await connector.fetch(ref), await connector.fetch(ref)] == [expected, expected]
    assert slack.calls == ["users.info"]


@pytest.mark.parametrize(
    ("user", "limited", "error"),
    [("U99GONE", [], Rejected), (KIM, [30], RetryLater)],
)
async def test_people_who_cannot_be_asked_for(
    connector: SlackConnector, slack: SlackServer, user: str, limited: list[float], error: type[AllearsError]
) -> None:
    slack.limited["users.info"] = limited
    with pytest.raises(error):
        await connector.fetch(Ref(locator={"user": user, "channel": SUPPORT}))


async def test_a_conversation_of_no_workspace(connect: Connect, slack: SlackServer) -> None:
    slack.tokens["xoxb-other-77c1"] = "T09SHOP"
    connector = await connect(more_bot_tokens=["xoxb-other-77c1"])
    with pytest.raises(Rejected, match="C0NOTHERE"):
        await connector.fetch(Ref(locator={"user": KIM, "channel": "C0NOTHERE"}))
    assert isinstance(await connector.fetch(Ref(locator={"user": KIM, "channel": SUPPORT})), Author)


async def test_nobody_there(connector: SlackConnector, slack: SlackServer) -> None:
    await slack.stop()
    with pytest.raises(Unavailable):
        await connector.fetch(Ref(locator={"user": KIM, "channel": SUPPORT}))
