"""Clients that mean no good, and mails no standard allows."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from tests.connectors.smtp.post import OURS, Post, mail
from tests.intake.hall import rest, until

SMUGGLED = (
    b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<complaints@example.com>\r\nDATA\r\nSubject: forged\r\n\r\nforged\r\n"
)


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\r",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n\0.\r\n",
        b"\n\n.\r\r\n",
        b"\r\n.\r\r\n",
    ],
)
async def test_no_second_mail_is_smuggled_in(post: Post, end: bytes) -> None:
    """CVE-2024-27305: only CR LF, dot, CR LF ends a mail."""
    await post.open_post()
    caller = await post.knock()
    await caller.address()
    content = b"Subject: one\r\n\r\nhello" + end + SMUGGLED
    caller.say(content + b".\r\n")
    assert (await caller.hear()).startswith("250")
    (body,) = await post.bodies()
    assert body == content.replace(b"\r\n.", b"\r\n"), "one mail, every byte of it"
    assert (await caller.ask("NOOP"))[0].startswith("250"), "what stood in the mail was no command"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b".\r\n..\r\n...\r\n.leading\r\n",
        b"a\r\n.\rb\r\n",
        b"Subject: \0\0\r\n\r\nnull \0 bytes\r\n",
        b"no line is too long " + b"x" * 3_000_000 + b"\r\n",
        b"." * 200_000 + b"\r\n",
        b".\r" * 50_000 + b"\r\n",
        "主题: 无编码\r\n\r\n投诉：发错货\r\n".encode("gb18030"),
        bytes(range(256)) + b"\r\n",
    ],
    ids=["empty", "newline", "dots", "bare-cr", "null", "long-line", "dot-line", "half-ends", "gbk", "all-bytes"],
)
@pytest.mark.parametrize("piece", [1 << 22, 1_021], ids=["at-once", "in-pieces"])
async def test_any_bytes_come_through(post: Post, content: bytes, piece: int) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.address()
    stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    for at in range(0, len(stuffed), piece):
        caller.say(stuffed[at : at + piece])
        await caller.writer.drain()
    assert (await caller.hear()).startswith("250")
    assert await post.bodies() == [content]


async def test_the_end_mark_in_single_bytes(post: Post) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.address()
    for byte in mail("慢") + b".\r\n":
        caller.say(bytes([byte]))
        await asyncio.sleep(0)
    assert (await caller.hear()).startswith("250")
    assert await post.bodies() == [mail("慢")]


async def test_a_connection_lost_in_a_mail_stores_nothing(post: Post) -> None:
    await post.open_post()
    for cut in (3, 50, len(mail()) + 1):
        caller = await post.knock()
        await caller.address()
        caller.say((mail() + b".\r\n")[:cut])
        await rest()
        await caller.hang_up()
    await rest()
    await post.send(mail("下一封"))
    assert await post.bodies() == [mail("下一封")]


async def test_a_client_that_says_nothing_is_left(post: Post) -> None:
    await post.open_post(timeout_seconds=1)
    silent, dripping = await post.knock(), await post.knock()
    assert (await silent.hear()).startswith("220")
    assert (await silent.hear()).startswith("421 4.4.2")
    assert await silent.gone()
    for _ in range(20):  # no command ever ends: bytes alone buy no time
        dripping.say(b"E")
        await asyncio.sleep(0.1)
    assert await dripping.gone()


async def test_a_mail_that_drips_is_cut_off_and_kept_by_its_sender(post: Post) -> None:
    await post.open_post(data_timeout_seconds=1)
    caller = await post.knock()
    await caller.address()
    hearing = asyncio.create_task(caller.hear())
    while not hearing.done():
        caller.say(b"x")
        await asyncio.sleep(0.05)
    assert hearing.result().startswith("421")
    assert await caller.gone()
    assert await post.bodies() == []


async def test_slow_clients_do_not_keep_others_out(post: Post) -> None:
    await post.open_post(max_connections_per_client=40)
    slow = [await post.knock() for _ in range(30)]
    for caller in slow:
        await caller.address()
        caller.say(b"Subject: slow\r\n")
    await post.send(mail())
    assert await post.counts() == (1, 0)


async def test_a_flood_of_commands_ends_and_holds_up_nobody(post: Post) -> None:
    await post.open_post()
    flood = await post.knock()
    await flood.hear()
    flood.say(b"EHLO c\r\n" + b"NOOP\r\n" * 20_000)
    start = time.monotonic()
    await post.send(mail())
    assert time.monotonic() - start < 5, "its turn came among the flood"
    assert await flood.gone()


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n",
        b"XYZZY\r\n",
        b"RCPT TO:<x@else.example>\r\n",
        b"\xff\xfe\xfd\r\n",
        b"MAIL FROM:<" + b"a" * 70_000 + b">\r\n",
    ],
    ids=["empty", "unknown", "refused", "binary", "endless"],
)
async def test_too_many_errors_end_a_session(post: Post, line: bytes) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.hear()
    await caller.ask("EHLO c", "MAIL FROM:<a@b.example>")
    caller.say(line * 25)
    assert await caller.gone()
    await post.send(mail())


async def test_names_that_are_no_text_can_still_be_kept(post: Post) -> None:
    await post.open_post(recipients=())
    caller = await post.knock()
    await caller.hear()
    caller.say(
        b"EHLO c\xff\0\x07lient\r\nMAIL FROM:<\xb4\xf3@b.example>\r\nRCPT TO:<\xff\x01x@example.com>\r\nDATA\r\n"
    )
    answers = [await caller.hear() for _ in range(4)]
    assert answers[-1].startswith("354"), answers
    caller.say(mail() + b".\r\n")
    assert (await caller.hear()).startswith("250")
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["recipients"] == ["\ufffdx@example.com"]
    assert raw.context["helo"] == "c\ufffdlient"


async def test_memory_is_bounded_whoever_sends(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    await post.open_post()
    desk = post.connectors[0]._server._desk
    monkeypatch.setattr(desk, "_most_held_bytes", 100_000)
    first, second = await post.knock(), await post.knock()
    for caller in (first, second):
        await caller.address()
    first.say(os.urandom(40_000).hex().encode() + b"\r\n")
    await until(lambda: desk._held_bytes > 60_000)
    second.say(os.urandom(40_000).hex().encode() + b"\r\n.\r\n")
    assert (await second.hear()).startswith("452")
    first.say(b".\r\n")
    assert (await first.hear()).startswith("250")
    await until(lambda: desk._held_bytes == 0, "all is given back")


async def test_a_fault_of_ours_is_never_a_refusal_for_good(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    await post.open_post()

    def fail(*args: object) -> str:
        raise RuntimeError(f"about {OURS}")

    monkeypatch.setattr("connectors.smtp.desk.loop_in", fail)
    caller = await post.knock()
    await caller.address()
    caller.say(mail() + b".\r\n")
    assert (await caller.hear()).startswith("451")
    assert OURS not in repr(post.log.entries)
