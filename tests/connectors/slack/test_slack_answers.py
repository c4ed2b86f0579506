"""Acknowledging a customer in Slack: once, in the thread, mentioning nobody."""

from __future__ import annotations

from typing import Any

import pytest

from allears_sdk.connector import Address
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Author, Role
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import MiniJournal, hear
from connectors.slack import SlackConnector
from tests.connectors.slack.conftest import Connect
from tests.connectors.slack.slack_payloads import IM, LI_LEI, SUPPORT, stamp
from tests.connectors.slack.slack_server import SlackServer

WORDS = "您好：您的投诉已收到，编号 ALE-7K3M-Q9TX-4RWD <!channel> & 谢谢"


@pytest.fixture
async def connector(connect: Connect) -> SlackConnector:
    return await connect()


def address(message: str, thread: tuple[str, ...] = ()) -> Address:
    return Address(
        to=Author(id=LI_LEI),
        message=message,
        thread=thread,
        said_at=START,
        reference="ALE-7K3M-Q9TX-4RWD",
        at=START,
    )


@pytest.mark.parametrize(
    ("message", "thread", "answered_in"),
    [
        (f"{SUPPORT}:{stamp(60)}", (f"{SUPPORT}:{LI_LEI}",), stamp(60)),
        (f"{SUPPORT}:{stamp(60)}", (), stamp(60)),
        (f"{SUPPORT}:{stamp(90)}", (f"{SUPPORT}:{stamp(60)}",), stamp(60)),
        (f"{IM}:{stamp(60)}", (IM,), None),
        (f"{IM}:{stamp(90)}", (f"{IM}:{stamp(60)}", IM), stamp(60)),
    ],
)
async def test_the_answer_hangs_under_what_it_answers(
    connector: SlackConnector, slack: SlackServer, message: str, thread: tuple[str, ...], answered_in: str | None
) -> None:
    await connector.reply(address(message, thread), WORDS, "KEY-1")
    ((_, given),) = slack.asked
    assert given.get("thread_ts") == answered_in
    assert given["text"] == "您好：您的投诉已收到，编号 ALE-7K3M-Q9TX-4RWD &lt;!channel&gt; &amp; 谢谢"
    assert (given["unfurl_links"], given["unfurl_media"]) == (False, False)


async def test_our_own_answer_is_a_bots_word_in_the_same_conversation(
    connector: SlackConnector, slack: SlackServer
) -> None:
    ts = slack.say("屏幕碎了")
    await connector.reply(address(f"{SUPPORT}:{ts}"), WORDS, "KEY-1")
    journal = MiniJournal()
    await hear(connector, journal)
    said, answer = (connector.parse(raw, connector.settings)[0] for raw in journal.raws)
    assert (answer.author.role, answer.text) == (Role.BOT, WORDS)
    assert answer.thread == (said.external_id,)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("channel_not_found", Void),
        ("is_archived", Void),
        ("not_in_channel", Void),
        ("msg_too_long", Rejected),
        ("restricted_action", Rejected),
        ("missing_scope", ConfigError),
        ("token_revoked", AuthError),
        ("ratelimited", RetryLater),
        ("service_unavailable", RetryLater),
        ("internal_error", InDoubt),
        ("fatal_error", InDoubt),
    ],
)
async def test_what_slack_says_of_an_answer(
    connector: SlackConnector,
    slack: SlackServer,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    error: type[AllearsError],
) -> None:
    refusal: dict[str, Any] = {"ok": False, "error": code}
    monkeypatch.setitem(slack._methods, "chat.postMessage", lambda call: refusal)
    with pytest.raises(error):
        await connector.reply(address(f"{SUPPORT}:{stamp(60)}"), WORDS, "KEY-1")
    assert slack.calls == ["chat.postMessage"]


async def test_a_lost_answer_is_in_doubt_and_posted_once(connector: SlackConnector, slack: SlackServer) -> None:
    slack.broken["chat.postMessage"] = 1
    with pytest.raises(InDoubt):
        await connector.reply(address(f"{SUPPORT}:{stamp(60)}"), WORDS, "KEY-1")
    assert slack.calls == ["chat.postMessage"]
    assert len(slack.posts[SUPPORT]) == 1


async def test_a_limit_says_when_to_come_again(connector: SlackConnector, slack: SlackServer) -> None:
    slack.limited["chat.postMessage"] = [3]
    for _ in range(2):
        with pytest.raises(RetryLater) as caught:
            await connector.reply(address(f"{SUPPORT}:{stamp(60)}"), WORDS, "KEY-1")
        assert caught.value.after_seconds == 3
    assert not slack.posts[SUPPORT]


async def test_nobody_there_means_surely_not_sent(connector: SlackConnector, slack: SlackServer) -> None:
    await slack.stop()
    with pytest.raises(Unavailable):
        await connector.reply(address(f"{SUPPORT}:{stamp(60)}"), WORDS, "KEY-1")
