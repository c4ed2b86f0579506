"""Socket Mode: acked after the commit, ordered by what was said first, no gap when Slack closes a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from allears_sdk.connector import Batch, Wake
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors.slack import SlackConnector
from tests.connectors.slack.conftest import Connect
from tests.connectors.slack.slack_payloads import APP_TOKEN, IM, KIM, PRIVATE, SUPPORT, TEAM, callback, stamp
from tests.connectors.slack.slack_server import SlackServer, until


class Ear:
    """Runs `listen` and stores what it brings, as the core does."""

    def __init__(self, connector: SlackConnector, journal: MiniJournal) -> None:
        self.connector = connector
        self.journal = journal
        self.batches: list[list[str]] = []
        self.wakes: list[str] = []
        self.ended: AllearsError | str = ""
        self.gate = asyncio.Event()
        """Commits wait for it."""
        self.gate.set()
        self.dies = False
        """The next commit never happens."""
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self.connector.listen()) as items:  # type: ignore[type-var] # it is a generator
                async for item in items:
                    if isinstance(item, Wake):
                        self.wakes.append(item.stream)
                    else:
                        await self._store(item)
            self.ended = "ended"
        except AllearsError as error:
            self.ended = error
        except Died:
            self.ended = "died"

    async def _store(self, batch: Batch) -> None:
        await self.gate.wait()
        if self.dies:
            raise Died
        self.journal.accept("", batch)
        self.batches.append([text_of(raw.body) for raw in batch.raws])

    @property
    def heard(self) -> list[str]:
        return [text for batch in self.batches for text in batch]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task], timeout=1)


def text_of(body: bytes) -> str:
    known = json.loads(body)
    return str(known.get("payload", {"event": known})["event"].get("text", ""))


@pytest.fixture
async def connector(connect: Connect) -> SlackConnector:
    return await connect(app_token=APP_TOKEN)


@pytest.fixture
async def ear(connector: SlackConnector, journal: MiniJournal, slack: SlackServer) -> AsyncIterator[Ear]:
    ear = Ear(connector, journal)
    await until(lambda: len(ear.wakes) == 3)
    yield ear
    await ear.stop()


async def test_a_connection_that_stands_wakes_every_conversation(ear: Ear) -> None:
    assert set(ear.wakes) == {f"slack://{TEAM}/{one}" for one in (SUPPORT, PRIVATE, IM)}


async def test_a_frame_is_acked_only_after_the_commit(ear: Ear, slack: SlackServer) -> None:
    ear.gate.clear()
    slack.say("屏幕碎了😡, refund please")
    await asyncio.sleep(0.1)
    assert slack.acked == []
    ear.gate.set()
    await until(lambda: slack.acked == ["e-1"])
    assert ear.heard == ["屏幕碎了😡, refund please"]


async def test_death_before_the_commit_acks_nothing_and_slack_sends_it_again(
    ear: Ear, slack: SlackServer, connector: SlackConnector, journal: MiniJournal
) -> None:
    ear.dies = True
    slack.say("退款")
    await until(lambda: ear.ended == "died")
    assert slack.acked == []
    again = Ear(connector, journal)
    await until(lambda: slack.acked == ["e-1"])
    await again.stop()
    assert (again.heard, len(journal.raws)) == (["退款"], 1)


async def test_death_after_the_commit_doubles_nothing(
    ear: Ear, slack: SlackServer, connector: SlackConnector, journal: MiniJournal
) -> None:
    ear.gate.clear()
    slack.say("退款")
    await asyncio.sleep(0.05)
    await slack.cut()  # the ack has nowhere to go
    ear.gate.set()
    await until(lambda: bool(ear.ended))
    assert (ear.heard, slack.acked) == (["退款"], [])
    again = Ear(connector, journal)
    await until(lambda: slack.acked == ["e-1"])
    await again.stop()
    assert len(journal.raws) == 1


async def test_frames_in_any_order_are_stored_in_the_order_of_their_words(ear: Ear, slack: SlackServer) -> None:
    ear.gate.clear()
    slack.say("first, holds the commit", at=1)
    await asyncio.sleep(0.05)
    slack.say("third", at=30)
    slack.say("second", at=20)
    slack.send(slack.links[0].pending["e-3"]["payload"], attempt=1, envelope="e-3")
    await asyncio.sleep(0.05)
    ear.gate.set()
    await until(lambda: len(slack.acked) == 4)
    assert ear.batches == [["first, holds the commit"], ["second", "second", "third"]]
    assert len(ear.journal.raws) == 3


async def test_what_is_no_message_is_acked_and_not_stored(ear: Ear, slack: SlackServer) -> None:
    slack.send(callback({"type": "reaction_added", "item": {"channel": SUPPORT, "ts": stamp(1)}}))
    slack.tell({"envelope_id": "slash-1", "type": "slash_commands", "payload": {"command": "/refund"}})
    slack.tell({"type": "something_new"})
    await until(lambda: sorted(slack.acked) == ["e-1", "slash-1"])
    assert ear.batches == []


async def test_edits_and_deletions_in_a_storm(ear: Ear, slack: SlackServer, connector: SlackConnector) -> None:
    ts = slack.say("one")
    slack.edit(ts, "two")
    slack.edit(ts, "three")
    slack.delete(ts)
    slack.say("in a thread", by=KIM, thread_ts=ts)
    await until(lambda: len(slack.acked) == 5)
    await hear(connector, ear.journal)
    marks = [raw.digest for raw in ear.journal.raws if raw.key.endswith(ts)]
    assert marks == ["said", f"edited {stamp(61)}", f"edited {stamp(62)}", "withdrawn"]
    assert len(ear.journal.raws) == 5


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_when_slack_moves_us_the_next_connection_is_opened_first(
    ear: Ear, slack: SlackServer, reason: str
) -> None:
    old = slack.links[0]
    slack.disconnect(reason)
    await until(lambda: len(slack.links) == 2)
    await until(lambda: len(ear.wakes) == 6)
    slack.say("on the new one")
    slack.send({**slack.links[1].pending["e-1"]["payload"]}, link=old)
    await until(lambda: len(slack.acked) == 2)
    await old.socket.close()
    slack.say("and after the old one has gone")
    await until(lambda: len(slack.acked) == 3)
    assert ear.heard[-1] == "and after the old one has gone"
    assert ear.ended == ""


async def test_what_was_said_without_a_socket_is_back_filled(
    ear: Ear, slack: SlackServer, connector: SlackConnector, journal: MiniJournal
) -> None:
    slack.say("heard")
    await until(lambda: len(slack.acked) == 1)
    await slack.cut()
    slack.say("lost by the socket")
    await until(lambda: bool(ear.ended))
    again = Ear(connector, journal)
    await until(lambda: len(again.wakes) == 3)
    await hear(connector, journal)
    await again.stop()
    assert [raw.key for raw in journal.raws] == [f"{SUPPORT}:{stamp(60)}", f"{SUPPORT}:{stamp(120)}"]


async def test_socket_mode_that_was_switched_off_is_told_to_the_admin(ear: Ear, slack: SlackServer) -> None:
    slack.disconnect("link_disabled")
    await until(lambda: bool(ear.ended))
    assert isinstance(ear.ended, ConfigError)
    assert slack.calls.count("apps.connections.open") == 1


async def test_too_many_sockets_are_left_to_the_back_off(ear: Ear, slack: SlackServer) -> None:
    slack.disconnect("too_many_websockets")
    await until(lambda: bool(ear.ended))
    assert isinstance(ear.ended, Unavailable)
    assert slack.calls.count("apps.connections.open") == 1


async def test_a_connection_closed_before_its_hello_makes_no_storm(
    connector: SlackConnector, slack: SlackServer
) -> None:
    slack.greets = False
    ear = Ear(connector, MiniJournal())
    await until(lambda: len(slack.links) == 1)
    slack.disconnect("refresh_requested")
    await until(lambda: bool(ear.ended))
    assert isinstance(ear.ended, Unavailable)
    assert slack.calls.count("apps.connections.open") == 1


async def test_slack_closes_without_a_word(ear: Ear, slack: SlackServer) -> None:
    await slack.links[0].socket.close()
    await until(lambda: bool(ear.ended))
    assert ear.ended == "ended"


async def test_nonsense_on_the_socket_ends_the_connection(ear: Ear, slack: SlackServer) -> None:
    await slack.links[0].socket.send_str("<html>")
    await until(lambda: bool(ear.ended))
    assert isinstance(ear.ended, Unavailable)


async def test_a_refused_token_does_not_loop(connect: Connect, slack: SlackServer) -> None:
    wrong = await connect(app_token="xapp-wrong-0000")
    with pytest.raises(AuthError, match="app_token"):
        await anext(wrong.listen())
    with pytest.raises(AuthError, match="app_token") as caught:
        await wrong.check()
    assert "xapp-wrong" not in f"{caught.value} {caught.value.detail}"
    assert slack.calls.count("apps.connections.open") == 2


async def test_a_limit_on_opening_is_obeyed(connect: Connect, slack: SlackServer) -> None:
    slack.limited["apps.connections.open"] = [17]
    connector = await connect(app_token=APP_TOKEN)
    for _ in range(2):
        with pytest.raises(RetryLater) as caught:
            await anext(connector.listen())
        assert caught.value.after_seconds == 17
    assert slack.calls.count("apps.connections.open") == 1


async def test_without_an_app_token_there_is_nothing_to_hear(connect: Connect, slack: SlackServer) -> None:
    ear = Ear(await connect(), MiniJournal())
    await asyncio.sleep(0.05)
    assert (ear.ended, slack.calls) == ("", [])
    await ear.connector.stop()
    await until(lambda: ear.ended == "ended")


async def test_a_backlog_of_frames_is_all_stored_and_acked(ear: Ear, slack: SlackServer) -> None:
    ear.gate.clear()
    for number in range(400):
        slack.say(f"第{number}条", at=number)
    await asyncio.sleep(0.2)
    ear.gate.set()
    await until(lambda: len(slack.acked) == 400)
    assert len(ear.journal.raws) == 400
    assert max(len(batch) for batch in ear.batches) <= 100


async def test_stopping_closes_the_connections(ear: Ear, slack: SlackServer) -> None:
    await ear.stop()
    await until(lambda: not slack.links)
    assert ear.task.cancelled()
