"""Reading a folder on pymap: cursors, pages, what happens after the commit, and a server that misbehaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from allears_sdk.connector import Wake
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import RFC822
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors.email import EmailConnector
from connectors.email import pages as email_pages
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import DROP, HANG, Mailbox, Meddler, make_mail, make_mail_bytes, until


def numbers(journal: MiniJournal) -> list[str]:
    return [raw.body.rpartition(b"\r\n\r\n")[2].decode("utf-8", "replace").strip() for raw in journal.raws]


async def test_a_mail_is_kept_byte_for_byte(mailbox: Mailbox, connect: Connect, journal: MiniJournal) -> None:
    mail = make_mail_bytes("投诉：发错货".encode("gb18030"), subject="投诉")
    mailbox.put(mail)
    await hear(await connect(mailbox), journal)
    (raw,) = journal.raws
    assert (raw.body, raw.media_type, raw.context) == (mail, RFC822, {"folder": mailbox.folder})
    header, _, _ = mail.partition(b"\r\n\r\n")
    assert raw.key == sha256(header + b"\r\n\r\n\0" + str(len(mail)).encode()).hexdigest()
    assert raw.digest == sha256(mail).hexdigest()


async def test_two_mails_with_one_header_and_size_are_two(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(make_mail("退款 1", number=7), make_mail("退款 2", number=7))
    await hear(await connect(mailbox), journal)
    assert numbers(journal) == ["退款 1", "退款 2"]
    assert journal.raws[0].key == journal.raws[1].key


async def test_the_first_run_looks_back_so_far_and_later_arrivals_of_any_age_are_heard(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    now = context.clock.now()
    mailbox.put(make_mail("old"), at=now - timedelta(days=8))
    mailbox.put(make_mail("recent"), at=now - timedelta(days=6))
    connector = await connect(mailbox, look_back=timedelta(days=7))
    await hear(connector, journal)
    assert numbers(journal) == ["recent"]
    assert journal.raws[0].received_at == now - timedelta(days=6)
    mailbox.put(make_mail("moved in"), at=now - timedelta(days=300))
    await hear(connector, journal)
    assert numbers(journal) == ["recent", "moved in"]


async def test_an_empty_folder_begins_too(mailbox: Mailbox, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect(mailbox)
    await hear(connector, journal)
    (cursor,) = journal.cursors.values()
    assert (cursor["version"], cursor["next_uid"]) == (1, 1)
    assert await hear(connector, journal) == [], "nothing new is no batch"
    mailbox.put(make_mail("first"))
    await hear(connector, journal)
    assert numbers(journal) == ["first"]


async def test_a_folder_made_anew_fetches_only_what_is_not_known(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    now = context.clock.now()
    mails = [make_mail(str(number)) for number in range(5)]
    ancient = make_mail("ancient")
    mailbox.put(*mails, at=now - timedelta(days=1))
    box = Mailbox(meddler, folder=mailbox.folder)
    await hear(await connect(box), journal)
    mailbox.remake()
    mailbox.put(ancient, at=now - timedelta(days=60))
    mailbox.put(*reversed(mails), make_mail("new"), at=now - timedelta(days=1))
    meddler.seen.clear()
    await hear(await connect(box), journal, limit=3)
    assert numbers(journal) == ["0", "1", "2", "3", "4", "new"]
    bodies = [line for line in meddler.seen if b"BODY.PEEK[])" in line]
    assert len(bodies) == 1, "bodies of known mails were fetched"


async def test_without_a_cursor_known_mails_are_not_fetched_again(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(*[make_mail(str(number)) for number in range(30)])
    box = Mailbox(meddler, folder=mailbox.folder)
    await hear(await connect(box), journal)
    journal.cursors.clear()
    meddler.seen.clear()
    await hear(await connect(box), journal)
    assert len(journal.raws) == 30
    assert not [line for line in meddler.seen if b"BODY.PEEK[])" in line]


async def test_a_long_backlog_is_read_from_both_ends_and_new_mail_goes_first(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(*[make_mail(f"{number:02}") for number in range(30)])
    connector = await connect(mailbox)
    (stream,) = await connector.streams()
    count = 0
    async for batch in connector.poll(stream, None, {}, 3):
        journal.accept(stream, batch)
        assert batch.cursor is not None
        count += 1
        if count == 2:
            mailbox.put(make_mail("new"))
    assert numbers(journal)[:9] == ["27", "28", "29", "00", "01", "02", "new", "03", "04"]
    assert sorted(numbers(journal)) == sorted([*(f"{number:02}" for number in range(30)), "new"])


async def test_a_backlog_goes_on_after_a_death_at_any_page(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(*[make_mail(f"{number:02}") for number in range(24)])
    for die_at in (0, 1, 2, 1, 0, 3):
        with pytest.raises(Died):
            await hear(await connect(mailbox), journal, limit=2, die_at=die_at, is_stored=die_at != 1)
    await hear(await connect(mailbox), journal, limit=2)
    assert sorted(numbers(journal)) == [f"{number:02}" for number in range(24)]
    assert len(mailbox.uids("SEEN")) >= 22


async def test_a_page_holds_no_more_bytes_than_it_may(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_pages, "PAGE_BYTES", 3000)
    mailbox.put(*[make_mail("x" * size) for size in (1000, 1000, 1000, 5000, 100)])
    batches = await hear(await connect(mailbox), journal)
    assert [len(batch.raws) for batch in batches] == [2, 1, 1, 1]
    assert [batch.remaining for batch in batches] == [3, 2, 1, 0]


async def test_seen_is_set_after_the_commit_alone(mailbox: Mailbox, connect: Connect, journal: MiniJournal) -> None:
    mailbox.put(make_mail("1"), make_mail("2"))
    with pytest.raises(Died):
        await hear(await connect(mailbox), journal, die_at=0)
    assert mailbox.uids("SEEN") == []
    with pytest.raises(Died):
        await hear(await connect(mailbox), journal, die_at=0, is_stored=True)
    assert mailbox.uids("SEEN") == []
    await hear(await connect(mailbox), journal)
    assert len(mailbox.uids("SEEN")) == 2, "what was stored before the death is marked now"
    assert len(journal.raws) == 2


async def test_a_mark_is_set_once(mailbox: Mailbox, connect: Connect, journal: MiniJournal) -> None:
    mailbox.put(make_mail("1"))
    connector = await connect(mailbox)
    await hear(connector, journal)
    with mailbox.client() as client:
        client.remove_flags(mailbox.uids(), [rb"\Seen"])
    await hear(connector, journal)
    assert mailbox.uids("SEEN") == [], "an agent who marks a mail as unread is left alone"


async def test_nothing_is_touched_in_nothing_mode(mailbox: Mailbox, connect: Connect, journal: MiniJournal) -> None:
    mailbox.put(make_mail("1"))
    await hear(await connect(mailbox, after="nothing"), journal)
    assert mailbox.uids("SEEN") == []
    assert len(journal.raws) == 1


@pytest.mark.parametrize("after", ["delete", "move"])
async def test_only_what_is_stored_whole_leaves_the_folder(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal, after: str
) -> None:
    target = Mailbox(mailbox.server, folder=f"{mailbox.folder}-已处理")
    target.create()
    mailbox.put(make_mail("1"), make_mail("x" * 5000), make_mail("2"))
    settings = {"after": after, "move_to": target.folder if after == "move" else "", "max_mail_bytes": 4000}
    connector = await connect(mailbox, **settings)
    with pytest.raises(Died):
        await hear(connector, journal, die_at=0)
    assert len(mailbox.uids()) == 3, "not stored, and gone"
    with pytest.raises(Died):
        await hear(connector, journal, die_at=0, is_stored=True)
    assert len(mailbox.uids()) == 3
    await hear(connector, journal)
    assert [b"x" * 5000 in body for body in mailbox.bodies()] == [True], "the mail that was not read whole stays"
    assert len(target.uids()) == (2 if after == "move" else 0)
    quarantined = [raw for raw in journal.raws if raw.quarantine]
    assert len(journal.raws) == 3
    assert len(quarantined) == 1
    assert quarantined[0].body.endswith(b"\r\n\r\n")
    assert "4000" in quarantined[0].quarantine
    assert await hear(connector, journal) == [], "what stays is not offered again and again"


async def test_what_others_marked_as_deleted_is_not_expunged(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    now = context.clock.now()
    mailbox.put(make_mail("theirs"), at=now - timedelta(days=90))
    mailbox.put(make_mail("ours"))
    mailbox.flag(mailbox.uids()[:1], rb"\Deleted")
    await hear(await connect(mailbox, after="delete"), journal)
    assert [b"theirs" in body for body in mailbox.bodies()] == [True]
    assert numbers(journal) == ["ours"]


@pytest.mark.parametrize(("after", "hidden"), [("delete", [b"UIDPLUS"]), ("move", [b"UIDPLUS", b"MOVE"])])
async def test_a_server_that_cannot_remove_single_mails_is_refused(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, after: str, hidden: list[bytes]
) -> None:
    meddler.hidden += hidden
    mailbox.put(make_mail("1"))
    box = Mailbox(meddler, folder=mailbox.folder)
    connector = await connect(box, after=after, move_to="INBOX" if after == "move" else "")
    with pytest.raises(ConfigError, match="UIDPLUS"):
        await connector.check()
    with pytest.raises(ConfigError, match="UIDPLUS"):
        await hear(connector, journal)
    assert len(mailbox.uids()) == 1


async def test_moving_without_the_move_extension_copies_first(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    meddler.hidden.append(b"MOVE")
    target = Mailbox(mailbox.server, folder=f"{mailbox.folder}-filed")
    target.create()
    mailbox.put(make_mail("1"), make_mail("2"))
    box = Mailbox(meddler, folder=mailbox.folder)
    await hear(await connect(box, after="move", move_to=target.folder), journal)
    assert (len(mailbox.uids()), len(target.uids()), len(journal.raws)) == (0, 2, 2)


async def test_a_refused_removal_holds_nothing_up_and_is_tried_again(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    meddler.refuse(rb"UID EXPUNGE", b"NO not now, please", times=2)
    mailbox.put(*[make_mail(str(number)) for number in range(4)])
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), after="delete")
    await hear(connector, journal, limit=2)
    assert sorted(numbers(journal)) == ["0", "1", "2", "3"]
    assert [event for _, event, _ in log.entries] == ["mail_not_removed"] * 2
    assert len(mailbox.uids()) == 4
    await hear(connector, journal)
    assert mailbox.uids() == []
    assert len(journal.raws) == 4


async def test_several_folders_are_streams_of_their_own(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal
) -> None:
    other = Mailbox(mailbox.server, folder=f"{mailbox.folder}-已发送")
    other.create()
    mailbox.put(make_mail("1"))
    other.put(make_mail("2"))
    connector = await connect(mailbox, folders=(mailbox.folder, other.folder))
    await hear(connector, journal)
    assert [(raw.context["folder"], text) for raw, text in zip(journal.raws, numbers(journal), strict=True)] == [
        (mailbox.folder, "1"),
        (other.folder, "2"),
    ]
    assert len(journal.cursors) == 2


async def test_a_mail_that_is_not_handed_over_is_missing_and_stops_no_other(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(*[make_mail(str(number)) for number in range(5)])
    bad = mailbox.uids()[2]
    meddler.refuse(rb"FETCH ([\d:,]*\b%d\b|%d:%d) .*BODY.PEEK\[\]" % (bad, bad - 2, bad + 2), b"NO cannot be read")
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    await hear(connector, journal, limit=1)
    assert sorted(numbers(journal)) == ["0", "1", "3", "4"]
    (missing,) = journal.missing.values()
    assert missing.locator["uid"] == bad
    assert "cannot be read" in missing.reason
    assert await hear(connector, journal) == []


async def test_a_mail_over_which_the_connection_breaks_is_given_up(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(*[make_mail(str(number)) for number in range(3)])
    bad = mailbox.uids()[1]
    meddler.refuse(rb"FETCH %d .*BODY.PEEK\[\]" % bad, DROP)
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await hear(connector, journal, limit=1)
    await hear(connector, journal, limit=1)
    assert numbers(journal) == ["0", "2"]
    assert [missing.locator["uid"] for missing in journal.missing.values()] == [bad]


async def test_a_busy_server_loses_no_mail(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(make_mail("1"))
    meddler.refuse(rb"BODY.PEEK\[\]", b"NO [UNAVAILABLE] Backend is down", times=2)
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    for _ in range(2):
        with pytest.raises(RetryLater):
            await hear(connector, journal, limit=1)
    await hear(connector, journal, limit=1)
    assert (numbers(journal), journal.missing) == (["1"], {})


async def test_a_mail_that_vanishes_while_it_is_read_is_no_error(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    mailbox.put(make_mail("gone"), make_mail("stays"))
    gone = mailbox.uids()[0]

    def delete(tag: str, line: bytes) -> None:
        if b"BODY.PEEK[]" in line and gone in mailbox.uids():
            with mailbox.client() as client:
                client.delete_messages([gone])
                client.uid_expunge([gone])

    meddler.rules.append(delete)
    await hear(await connect(Mailbox(meddler, folder=mailbox.folder)), journal)
    assert numbers(journal)[-1] == "stays"
    assert journal.missing == {}


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        (rb"LOGIN", b"NO [AUTHENTICATIONFAILED] no", AuthError),
        (rb"LOGIN", b"NO [UNAVAILABLE] Temporary authentication failure", RetryLater),
        (rb"LOGIN", DROP, Unavailable),
        (rb"SELECT", b"NO Unsafe Login. Please contact kefu@188.com for help", AuthError),
        (rb"SELECT", b"NO [INUSE] locked", RetryLater),
        (rb"SELECT", DROP, Unavailable),
        (rb"SEARCH", b"BAD what?", Unavailable),
        (rb"FETCH", DROP, Unavailable),
        (rb"FETCH", HANG, Unavailable),
    ],
)
async def test_faults_name_the_reaction_they_ask_for(
    mailbox: Mailbox,
    meddler: Meddler,
    connect: Connect,
    journal: MiniJournal,
    command: bytes,
    answer: bytes,
    error: type[AllearsError],
) -> None:
    mailbox.put(make_mail("1"))
    meddler.refuse(command, answer, times=1)
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), timeout_seconds=1)
    with pytest.raises(error) as caught:
        await hear(connector, journal)
    assert type(caught.value) is error or error is Unavailable
    await hear(connector, journal)
    assert numbers(journal) == ["1"]


async def test_a_line_of_nonsense_is_no_crash(connect: Connect, mailbox: Mailbox, journal: MiniJournal) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unavailable):
        await hear(await connect(mailbox, port=port), journal)
    server.close()
    with pytest.raises(Unavailable):
        await hear(await connect(mailbox, port=port), journal)
    with pytest.raises(Unavailable):
        await hear(await connect(mailbox, tls="implicit"), journal)


async def test_a_lost_connection_is_replaced_unnoticed(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    await hear(connector, journal)
    mailbox.put(make_mail("1"))
    meddler.refuse(rb"NOOP", DROP, times=1)
    await hear(connector, journal)
    assert numbers(journal) == ["1"]
    assert meddler.connections == 2


async def test_a_missing_folder_is_named_with_its_neighbour(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(mailbox, folders=(mailbox.folder + "s",))
    with pytest.raises(ConfigError, match=f'did you mean "{mailbox.folder}"'):
        await connector.check()
    with pytest.raises(ConfigError, match=f'did you mean "{mailbox.folder}"'):
        await hear(connector, journal)


async def test_check_says_who_and_what(mailbox: Mailbox, connect: Connect) -> None:
    mailbox.put(make_mail("1"))
    identity = await (await connect(mailbox)).check()
    assert identity.account == "kefu@example.com at 127.0.0.1"
    assert f"{mailbox.folder}: 1 mails" in identity.details
    assert any("IDLE" in detail for detail in identity.details)


async def test_the_client_says_who_it_is(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    await hear(await connect(Mailbox(meddler, folder=mailbox.folder)), journal)
    commands = [line.split()[0] for line in meddler.seen]
    assert commands.index(b"LOGIN") < commands.index(b"ID") < commands.index(b"SELECT")


# Hearing


async def listen(connector: EmailConnector, journal: MiniJournal) -> None:
    """What the core does: polls at the start, and on every wake."""
    await hear(connector, journal)
    async for item in connector.listen():
        assert isinstance(item, Wake)
        await hear(connector, journal)


async def test_new_mail_is_heard_over_one_connection(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    task = asyncio.create_task(listen(connector, journal))
    for text in "12345":
        await until(lambda: meddler.seen[-1:] == [b"IDLE"])
        mailbox.put(make_mail(text))
        await until(lambda: text in numbers(journal)[-1:])  # noqa: B023  # called before the next round
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert numbers(journal) == ["1", "2", "3", "4", "5"]
    assert meddler.connections == 1


async def test_a_scheduled_poll_interrupts_idle(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    other = Mailbox(mailbox.server, folder=f"{mailbox.folder}-b")
    other.create()
    box = Mailbox(meddler, folder=mailbox.folder)
    connector = await connect(box, folders=(mailbox.folder, other.folder))
    task = asyncio.create_task(listen(connector, journal))
    await until(lambda: meddler.seen[-1:] == [b"IDLE"])
    other.put(make_mail("unheard"))
    await hear(connector, journal)
    assert numbers(journal) == ["unheard"]
    mailbox.put(make_mail("heard"))
    await until(lambda: len(journal.raws) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert meddler.connections == 1


async def test_mail_that_came_while_the_line_was_down_wakes(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder))
    meddler.refuse(rb"DONE", DROP, times=1)
    task = asyncio.create_task(listen(connector, journal))
    await until(lambda: meddler.seen[-1:] == [b"IDLE"])
    mailbox.put(make_mail("1"))
    await until(lambda: len(journal.raws) == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert meddler.connections == 2


async def test_idle_is_renewed(mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), idle_renew_minutes=0.001)
    task = asyncio.create_task(listen(connector, journal))
    await until(lambda: meddler.seen.count(b"IDLE") >= 3)
    mailbox.put(make_mail("1"))
    await until(lambda: len(journal.raws) == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("idle", [True, False])
async def test_without_idle_listening_waits_quietly(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, idle: bool
) -> None:
    meddler.hidden.append(b"IDLE")
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), idle=idle)
    task = asyncio.create_task(listen(connector, journal))
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    mailbox.put(make_mail("polled"))
    await hear(connector, journal)
    assert numbers(journal) == ["polled"]
    await connector.stop()
    await asyncio.wait_for(task, 1)


@pytest.mark.parametrize("command", [rb"CAPABILITY", rb"LOGIN", rb"SELECT", rb"FETCH", rb"DONE"])
async def test_a_hung_server_is_left_at_once(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal, command: bytes
) -> None:
    meddler.refuse(command, HANG)
    mailbox.put(make_mail("1"))
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), timeout_seconds=30)
    task = asyncio.create_task(listen(connector, journal))
    await asyncio.wait([task], timeout=0.3)
    await asyncio.wait_for(connector.stop(), 1)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    assert done


async def test_a_cancelled_poll_leaves_a_connector_that_works(
    mailbox: Mailbox, meddler: Meddler, connect: Connect, journal: MiniJournal
) -> None:
    meddler.refuse(rb"BODY.PEEK\[\]", HANG, times=1)
    mailbox.put(make_mail("1"))
    connector = await connect(Mailbox(meddler, folder=mailbox.folder), timeout_seconds=30)
    task = asyncio.create_task(hear(connector, journal))
    await asyncio.wait([task], timeout=0.3)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=1)
    assert done
    await hear(connector, journal)
    assert numbers(journal) == ["1"]


async def test_times_of_arrival_never_lie_in_the_future(
    mailbox: Mailbox, connect: Connect, journal: MiniJournal, context: Context
) -> None:
    mailbox.put(make_mail("1"), at=datetime(2031, 1, 1, tzinfo=UTC))
    await hear(await connect(mailbox), journal)
    assert isinstance(context.clock, FakeClock)
    assert journal.raws[0].received_at == context.clock.now()
