"""250 means on disk; everything else means the sender keeps its mail and a repetition is a no-op."""

from __future__ import annotations

import asyncio
import smtplib
from pathlib import Path

import pytest

from allears.journal.sqlite import open_journal
from allears_sdk.message import RFC822
from allears_sdk.testing import FakeClock
from tests.connectors.smtp.post import OURS, SENDER, Post, mail
from tests.intake.hall import rest, until


async def test_a_mail_is_kept_byte_for_byte_with_its_envelope(post: Post) -> None:
    await post.open_post()
    content = mail("第一行\n.以点开头的行\n..两个点\n\nbye 👨‍👩‍👧")
    await post.send(content, ["tousu@example.com", OURS])
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert (raw.body, raw.media_type) == (content, RFC822)
    assert raw.context == {
        "mail_from": SENDER,
        "recipients": ["tousu@example.com", OURS],
        "client": "127.0.0.1",
        "helo": "client.example.net",
        "tls": False,
    }


async def test_250_comes_after_the_commit_and_not_before(post: Post) -> None:
    await post.open_post()
    post.gate.open.clear()
    caller = await post.knock()
    await caller.address()
    caller.say(mail() + b"\r\n.\r\n")
    answer = asyncio.create_task(caller.hear())
    await rest()
    assert not answer.done()
    post.gate.open.set()
    assert (await answer).startswith("250 ")
    assert await post.counts() == (1, 0)


async def test_what_arrives_during_a_commit_shares_the_next_one(post: Post) -> None:
    await post.open_post()
    post.gate.open.clear()
    callers = [await post.knock() for _ in range(12)]
    for number, caller in enumerate(callers):
        await caller.address()
        caller.say(mail(f"第{number}封") + b".\r\n")
        await rest()
    post.gate.open.set()
    assert {(await caller.hear())[:3] for caller in callers} == {"250"}
    assert [len(deposit.raws) for deposit in post.gate.deposits] == [1, 11]


async def test_the_same_mail_again_is_a_no_op_also_in_one_batch(post: Post) -> None:
    await post.open_post()
    post.gate.open.clear()
    callers = [await post.knock() for _ in range(3)]
    for caller in callers:
        await caller.address()
        caller.say(mail() + b".\r\n")
    await rest()
    post.gate.open.set()
    assert {(await caller.hear())[:3] for caller in callers} == {"250"}
    await post.send(mail())
    assert await post.counts() == (1, 3)


async def test_two_hundred_mails_over_twenty_connections(post: Post) -> None:
    await post.open_post()

    def deliver(connection: int) -> None:
        with post.smtp() as client:
            for number in range(12):
                client.sendmail(SENDER, [OURS], mail(f"连接 {connection}，第 {number} 封\n.\n完"))

    await asyncio.gather(*(asyncio.to_thread(deliver, connection) for connection in range(20)))
    expected = {mail(f"连接 {connection}，第 {number} 封\n.\n完") for connection in range(20) for number in range(12)}
    bodies = await post.bodies()
    assert len(bodies) == 240
    assert set(bodies) == expected
    assert await post.counts() == (240, 0)


async def test_a_journal_that_cannot_write_gets_451_and_the_repetition_is_stored(post: Post) -> None:
    await post.open_post()
    post.gate.refusals = 1
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await post.send(mail())
    assert caught.value.smtp_code == 451
    await until(lambda: post.state("mx") == "failing")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:  # nobody takes mail up just now: said before the upload
        await post.send(mail())
    assert refused.value.smtp_code == 451
    post.hands.advance(1)
    await rest()
    await post.send(mail())
    assert await post.counts() == (1, 0)
    assert post.state("mx") == "running"


async def test_everybody_in_a_failed_batch_hears_451(post: Post) -> None:
    await post.open_post()
    post.gate.refusals = 1
    callers = [await post.knock() for _ in range(4)]
    for caller in callers:
        await caller.address()
    for caller in callers:
        caller.say(mail() + b".\r\n")
    assert {(await caller.hear())[:9] for caller in callers} == {"451 4.3.0"}
    assert await post.bodies() == []


async def test_a_late_commit_gets_451_and_is_not_undone(post: Post) -> None:
    await post.open_post(answer_within_seconds=0.2)
    post.gate.open.clear()
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await post.send(mail())
    assert caught.value.smtp_code == 451
    post.gate.open.set()
    await until(lambda: post.gate.deposits)
    await post.send(mail())
    assert await post.counts() == (1, 1)


async def test_what_was_refused_as_late_before_it_was_taken_up_is_not_stored_behind_the_senders_back(
    post: Post,
) -> None:
    await post.open_post(answer_within_seconds=0.3)
    post.gate.open.clear()
    first, second = await post.knock(), await post.knock()
    for caller, text in ((first, "先"), (second, "后")):
        await caller.address()
        caller.say(mail(text) + b".\r\n")
        await rest()
    assert {(await caller.hear())[:3] for caller in (first, second)} == {"451"}
    post.gate.open.set()
    await until(lambda: post.gate.deposits)
    await rest()
    assert await post.bodies() == [mail("先")], "what waited in memory is gone: its sender has it"


async def test_a_sender_that_vanishes_before_the_answer_repeats_without_harm(post: Post) -> None:
    await post.open_post()
    post.gate.open.clear()
    caller = await post.knock()
    await caller.address()
    caller.say(mail() + b".\r\n")
    await rest()
    await caller.hang_up()
    post.gate.open.set()
    await until(lambda: post.gate.deposits)
    await post.send(mail())
    assert await post.counts() == (1, 1)


async def test_a_paused_channel_asks_to_come_back(post: Post) -> None:
    await post.open_post()
    await post.intake.pause("mx")
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        await post.send(mail())
    assert refused.value.smtp_code == 451
    await post.intake.resume("mx")
    await rest()
    await post.send(mail())
    assert await post.counts() == (1, 0)


async def test_stopping_finishes_the_commit_and_sends_the_others_away(post: Post) -> None:
    await post.open_post()
    post.gate.open.clear()
    committing, waiting, writing = [await post.knock() for _ in range(3)]
    for caller, text in ((committing, "一"), (waiting, "二")):
        await caller.address()
        caller.say(mail(text) + b".\r\n")
        await rest()
    await writing.address()
    writing.say(mail("三")[:100])
    stopping = asyncio.create_task(post.intake.stop(5))
    await rest()
    post.gate.open.set()
    assert (await committing.hear()).startswith("250")
    assert (await waiting.hear()).startswith("451")
    assert (await writing.hear()).startswith("421")
    await stopping
    assert [await caller.gone() for caller in (committing, waiting, writing)] == [True] * 3
    assert await post.bodies() == [mail("一")]


async def test_changed_settings_take_over_the_port(post: Post) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.hear()
    await post.apply(recipients=("example.org",))
    assert (await caller.hear()).startswith("421")
    await until(lambda: len(post.said("smtp.listening")) == 2)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        await post.send(mail())
    await post.send(mail(), ["tousu@example.org"])
    assert await post.counts() == (1, 0)


async def test_death_between_commit_and_answer_files_nothing_twice(tmp_path: Path) -> None:
    """The daemon is killed: its tasks just end, and the sender repeats to the next one on the same journal."""
    journal = await open_journal(tmp_path, FakeClock())
    dying, reborn = Post(journal, tmp_path), Post(journal, tmp_path)
    try:
        await dying.open_post()
        caller = await dying.knock()
        await caller.address()
        dying.connectors[0]._tray.settle = lambda: None  # type: ignore[method-assign]  # dead behind the yield
        caller.say(mail() + b".\r\n")
        await until(lambda: dying.gate.deposits)
        await dying.connectors[0].stop()
        assert not (await caller.hear()).startswith("250")
        await caller.hang_up()
        await dying.intake.stop(0)
        await reborn.open_post()
        await reborn.send(mail())
        assert await reborn.counts() == (1, 1)
    finally:
        await reborn.intake.stop(1)
        await journal.close()
