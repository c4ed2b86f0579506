"""What a maildrop may do to whoever reads it: die between DELE and QUIT, renumber, refuse, hang up, lie, be huge."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing import RecordingLog
from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.journal import Died, MiniJournal, hear
from bench.servers.certificate import make_certificate
from connectors.pop3 import Pop3Connector
from connectors.pop3.client import Negative
from connectors.pop3.cursor import load
from connectors.pop3.faults import login_failed
from tests.connectors.pop3.conftest import Connect
from tests.connectors.pop3.maildrop import DROP, HANG, Maildrop, make_mail, make_mail_bytes

OLD = "Thu, 01 Oct 2026 08:00:00 +0800"
NEW = "Sat, 21 Nov 2026 08:00:00 +0800"
"""The fake clock stands at 2026-11-22."""


def texts(raws: Sequence[Raw]) -> list[str]:
    return [raw.body.decode("utf-8", "replace").rpartition("\r\n\r\n")[2].strip() for raw in raws if not raw.baseline]


async def hear_until_fault(connector: Pop3Connector, journal: MiniJournal, limit: int = 10) -> AllearsError | None:
    try:
        await hear(connector, journal, limit=limit)
    except AllearsError as error:
        return error
    return None


# Deleting


async def test_deleted_only_once_stored(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(5)))
    await hear(await connect(after="delete"), journal, limit=2)
    assert maildrop.mails == []
    assert sorted(texts(journal.raws)) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("moment", ["before-commit", "after-commit-before-dele", "after-dele-before-quit"])
async def test_death_loses_nothing_and_reads_nothing_twice(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal, moment: str
) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(4)))
    connector = await connect(after="delete")
    die_at = 1 if moment == "after-dele-before-quit" else 0  # at the second yield the first page is marked, no more
    with pytest.raises(Died):
        await hear(connector, journal, limit=2, die_at=die_at, is_stored=moment != "before-commit")
    await connector.stop()
    stored = len(journal.raws)
    assert len(maildrop.mails) == 4, "nothing is deleted without QUIT"
    maildrop.seen.clear()
    await hear(await connect(after="delete"), journal, limit=2)
    assert sorted(texts(journal.raws)) == ["0", "1", "2", "3"]
    assert maildrop.mails == []
    assert maildrop.count(b"RETR") == 4 - stored, "what was stored is deleted without being read again"


@pytest.mark.parametrize("answer", [DROP, b"-ERR [SYS/TEMP] some deleted messages not removed"])
async def test_a_lost_quit_is_made_good(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal, log: RecordingLog, answer: bytes
) -> None:
    maildrop.put(make_mail("1"), make_mail("2"))
    maildrop.on(b"^QUIT", answer, times=1)
    connector = await connect(after="delete")
    await hear(connector, journal)
    assert len(maildrop.mails) == 2
    assert [event for level, event, _ in log.entries if level == "warning"] == ["mail_not_removed"]
    await hear(connector, journal)
    assert maildrop.mails == []
    assert len(journal.raws) == 2
    assert maildrop.count(b"RETR") == 2


async def test_what_is_too_large_or_too_old_is_never_deleted(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(make_mail("去年的", received=OLD), make_mail("x" * 3000), make_mail("今天的", received=NEW))
    connector = await connect(after="delete", max_mail_bytes=2000)
    for _ in range(3):
        await hear(connector, journal)
    assert len(maildrop.mails) == 2
    assert sorted(bool(raw.quarantine) for raw in journal.raws if not raw.baseline) == [False, True]
    assert "x" * 10 not in "".join(texts(journal.raws))
    again = await connect(after="delete", max_mail_bytes=20_000)
    await hear(again, journal)
    assert [mail.body.count(b"2026") for mail in maildrop.mails] == [1], "with a larger limit it is read whole"
    assert len(maildrop.mails) == 1


async def test_kept_for_some_days(maildrop: Maildrop, connect: Connect, journal: MiniJournal, clock: FakeClock) -> None:
    maildrop.put(make_mail("周三", received="Wed, 18 Nov 2026 08:00:00 +0000"), make_mail("周六", received=NEW))
    maildrop.put(make_mail("不知何时"))
    connector = await connect(after="delete", keep_days=7)
    await hear(connector, journal)
    assert len(maildrop.mails) == 3
    for hours, left in ((80, 2), (75, 1), (100, 0)):
        clock.advance(hours * 3600)
        await hear(connector, journal)
        assert len(maildrop.mails) == left
    assert len(journal.raws) == 3


# Recognising


async def test_a_first_run_reads_back_so_far_and_no_further(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(*(make_mail(f"旧{number}", received=OLD) for number in range(250)))
    maildrop.put(*(make_mail(f"新{number}", received=NEW) for number in range(3)))
    await hear(await connect(), journal, limit=20)
    assert sorted(texts(journal.raws)) == ["新0", "新1", "新2"]
    assert sum(raw.baseline for raw in journal.raws) == 250
    assert maildrop.count(b"TOP") < 150, "behind a hundred old mails nothing is asked any more"


async def test_a_clock_that_is_wrong_loses_no_mail(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("服务器钟错了", received=OLD, written=NEW))
    maildrop.put(make_mail("客户钟错了", received=NEW, written=OLD))
    maildrop.put(make_mail("都没有"))
    maildrop.put(make_mail("真旧", received=OLD, written=OLD))
    await hear(await connect(), journal)
    assert sorted(texts(journal.raws)) == sorted(["服务器钟错了", "客户钟错了", "都没有"])


async def test_an_old_mail_whose_size_changes_is_not_filed(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(make_mail("旧", received=OLD), make_mail("新", received=NEW))
    connector = await connect(after="delete")
    await hear(connector, journal)
    maildrop.mails[0].body = b"Status: RO\r\n" + maildrop.mails[0].body
    await hear(connector, journal)
    assert texts(journal.raws) == ["新"]
    assert len(maildrop.mails) == 1, "it is not deleted either"


async def test_ids_that_all_change_bring_no_old_mails(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(*(make_mail(f"旧{number}", received=OLD) for number in range(60)))
    maildrop.put(make_mail("新", received=NEW))
    await hear(await connect(), journal)
    for mail in maildrop.mails:
        mail.uid = f"moved-{mail.uid}"
    await hear(await connect(), journal)
    assert set(texts(journal.raws)) == {"新"}, "the house knows it by its Message-ID; none of the old ones is filed"


async def test_an_id_used_again_hides_nothing(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("第一封"), uid="1")
    connector = await connect()
    await hear(connector, journal)
    maildrop.mails.clear()
    maildrop.put(make_mail("第二封，长一点"), uid="1")
    await hear(connector, journal)
    assert texts(journal.raws) == ["第一封", "第二封，长一点"]


async def test_one_id_for_all_mails(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("甲"), make_mail("乙"), make_mail("丙"), uid="0")
    connector = await connect()
    await hear(connector, journal)
    await hear(connector, journal)
    assert sorted(texts(journal.raws)) == sorted(["甲", "乙", "丙"])


async def test_header_and_size_where_asked_for(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("甲"), make_mail("乙"))
    await hear(await connect(identify="header"), journal)
    for mail in maildrop.mails:
        mail.uid = f"unstable-{mail.uid}"
    await hear(await connect(identify="header"), journal)
    assert len(journal.raws) == 2
    assert maildrop.count(b"UIDL") == 0


async def test_a_full_maildrop_costs_next_to_nothing_per_poll(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(300)))
    connector = await connect()
    await hear(connector, journal, limit=100)
    maildrop.seen.clear()
    await hear(connector, journal)
    assert maildrop.count(b"LIST") + maildrop.count(b"UIDL") <= 4
    assert b"LIST" not in maildrop.seen
    maildrop.put(make_mail("新"))
    maildrop.seen.clear()
    await hear(connector, journal)
    assert texts(journal.raws)[-1] == "新"
    assert b"LIST" not in maildrop.seen
    maildrop.mails.insert(5, maildrop.mails.pop())  # the order changes behind its back
    maildrop.mails.insert(7, maildrop.mails[0])
    del maildrop.mails[0]
    clock.advance(3600)
    await hear(connector, journal)
    assert b"LIST" in maildrop.seen
    assert len(journal.raws) == 301
    cursor = next(iter(journal.cursors.values()))
    assert len(str(cursor)) < 200


async def test_after_an_outage_the_newest_is_not_starved(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    await hear(await connect(), journal)
    maildrop.put(*(make_mail(f"{number}", received=NEW) for number in range(40)))
    batches = await hear(await connect(), journal, limit=4)
    assert "39" in texts([raw for batch in batches[:2] for raw in batch.raws])
    assert "0" in texts([raw for batch in batches[:2] for raw in batch.raws])
    assert sorted(texts(journal.raws), key=int) == [str(number) for number in range(40)]


# Troubles on the way


async def test_lines_as_long_as_they_like_and_dots(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    body = make_mail_bytes(b"." + b"x" * 30_000 + b"\r\n.\r\n..\r\n.dot\nbare\r\n" + "投诉".encode("gb18030"))
    maildrop.put(body)
    await hear(await connect(), journal)
    assert journal.raws[0].body == body


async def test_a_connection_lost_in_the_middle_keeps_what_was_read(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(6)))
    connector = await connect()
    maildrop.on(b"^RETR 3", DROP, times=1)
    error = await hear_until_fault(connector, journal)
    assert isinstance(error, Unavailable)
    assert 0 < len(journal.raws) < 6
    await hear(connector, journal)
    assert sorted(texts(journal.raws)) == ["0", "1", "2", "3", "4", "5"]


async def test_cut_in_the_middle_of_a_mail(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("完整"))
    maildrop.on(b"^RETR", b"+OK\r\nSubject: half\r\n\r\nha", times=1)
    connector = await connect(timeout_seconds=1)
    assert isinstance(await hear_until_fault(connector, journal), Unavailable)
    assert journal.raws == []
    await hear(connector, journal)
    assert texts(journal.raws) == ["完整"]


async def test_a_mail_over_which_the_line_breaks_is_given_up(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(make_mail("前"), make_mail("坏"), make_mail("后"))
    maildrop.on(b"^RETR 2", DROP)
    connector = await connect()
    for _ in range(4):
        await hear_until_fault(connector, journal)
    assert sorted(texts(journal.raws)) == sorted(["前", "后"])
    assert [item.locator["uid"] for item in journal.missing.values()] == [maildrop.mails[1].uid]
    assert await hear_until_fault(await connect(), journal) is None, "it is not tried again for ever"


async def test_a_mail_that_is_refused_becomes_a_letter_once(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    maildrop.put(make_mail("前"), make_mail("坏"), make_mail("后"))
    maildrop.on(b"^RETR 2", b"-ERR message is corrupt")
    connector = await connect(after="delete")
    for _ in range(3):
        assert journal.missing == {}
        await hear(connector, journal)
        clock.advance(500)
        maildrop.rules[0].pattern = re.compile(b"^RETR 1")  # its number once the others are deleted
    assert sorted(texts(journal.raws)) == sorted(["前", "后"])
    assert ["corrupt" in item.reason for item in journal.missing.values()] == [True]
    assert len(maildrop.mails) == 1, "what was not read stays"
    maildrop.seen.clear()
    await hear(await connect(after="delete"), journal)
    assert maildrop.count(b"RETR") == 0
    assert len(load(next(iter(journal.cursors.values()))).lost) == 1


async def test_a_mail_someone_else_deletes_is_no_letter(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(make_mail("前"), make_mail("没了"))
    maildrop.on(b"^RETR 2", b"-ERR message expunged", times=1)
    connector = await connect()
    await hear(connector, journal)
    del maildrop.mails[1]
    await hear(connector, journal)
    assert (texts(journal.raws), journal.missing) == (["前"], {})


async def test_a_server_that_refuses_everything_makes_no_letters(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal
) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(100)))
    maildrop.on(b"^RETR", b"-ERR mail store is away", times=40)
    connector = await connect()
    for _ in range(2):
        assert "mail after mail" in str(await hear_until_fault(connector, journal))
    await hear(connector, journal)
    assert (len(journal.raws), journal.missing) == (100, {})


async def test_an_endless_answer_ends(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("小"))
    maildrop.on(b"^RETR", b"+OK\r\n" + b"A" * (3 << 20), times=1)
    connector = await connect(timeout_seconds=1)
    assert isinstance(await hear_until_fault(connector, journal), Unavailable)
    await hear(connector, journal)
    assert texts(journal.raws) == ["小"]


async def test_a_server_that_hangs_is_left(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(make_mail("1"))
    maildrop.on(b"^STAT", HANG, times=1)
    connector = await connect(timeout_seconds=1)
    with pytest.raises(Unavailable, match="does not answer"):
        await hear(connector, journal)


async def test_stopping_ends_a_wait_at_once(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.on(b"^STAT", HANG)
    connector = await connect(timeout_seconds=60)
    task = asyncio.create_task(hear_until_fault(connector, journal))
    while b"STAT" not in maildrop.seen:  # noqa: ASYNC110  # what arrives at a server sets no event here
        await asyncio.sleep(0.005)
    await connector.stop()
    async with asyncio.timeout(1):
        assert isinstance(await task, Unavailable)


@pytest.mark.parametrize(
    ("command", "answer", "expected", "words"),
    [
        (b"^PASS", b"-ERR [AUTH] invalid user or password", AuthError, "refused the login"),
        (b"^PASS", b"-ERR Unable to log on", AuthError, "refused the login"),
        (b"^PASS", b"-ERR [IN-USE] Do you have another POP session running?", RetryLater, "another client"),
        (b"^PASS", b"-ERR mailbox is locked by another session", RetryLater, "another client"),
        (b"^PASS", b"-ERR [LOGIN-DELAY] minimum time between logins 300 s", RetryLater, "later"),
        (b"^PASS", b"-ERR [SYS/TEMP] Internal error", RetryLater, "later"),
        (b"^PASS", b"-ERR [SYS/PERM] maildrop is corrupt", ConfigError, "put this mailbox right"),
        (b"^PASS", "-ERR 登录过于频繁，请稍后再试".encode(), RetryLater, "no login now"),
        (b"^USER", b"-ERR plaintext login disabled", AuthError, "refused the login"),
        (b"^STAT", b"-ERR [SYS/TEMP] come back", RetryLater, "later"),
        (b"^STAT", b"+OK what do you mean", Unavailable, "no sense"),
        (b"^UIDL$", b"+OK\r\nnonsense\r\n.", Unavailable, "no sense"),
        (b"^USER", DROP, Unavailable, "lost"),
    ],
)
async def test_what_the_server_says_decides_what_happens(
    maildrop: Maildrop,
    connect: Connect,
    journal: MiniJournal,
    command: bytes,
    answer: bytes,
    expected: type[AllearsError],
    words: str,
) -> None:
    maildrop.put(make_mail("1"))
    maildrop.on(command, answer, times=1)
    connector = await connect()
    with pytest.raises(expected, match=words) as caught:
        await hear(connector, journal)
    assert "kefu-Pa55-word" not in f"{caught.value} {caught.value.detail} {caught.value!r}"
    await hear(connector, journal)
    assert texts(journal.raws) == ["1"]


async def test_a_greeting_that_turns_us_away(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.greeting = b"-ERR too many connections from your address\r\n"
    with pytest.raises(RetryLater):
        await hear(await connect(), journal)


async def test_a_host_gets_the_advice_of_its_own(maildrop: Maildrop) -> None:
    for host, word in (("pop.qq.com", "授权码"), ("pop.163.com", "客户端授权码"), ("pop.gmail.com", "app password")):
        assert word in str(login_failed(Negative("-ERR Unable to log on"), host))


async def test_stls_with_a_checked_certificate(
    maildrop: Maildrop, connect: Connect, journal: MiniJournal, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path)
    maildrop.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    maildrop.tls.load_cert_chain(certificate)
    maildrop.put(make_mail("密"))
    with pytest.raises(ConfigError, match="STLS"):
        await hear(await connect(tls="starttls", ca_file=certificate), journal)
    maildrop.capabilities.append("STLS")
    await hear(await connect(tls="starttls", ca_file=certificate), journal)
    assert texts(journal.raws) == ["密"]
    with pytest.raises(Unavailable, match="does not verify"):
        await hear(await connect(tls="starttls"), journal)


async def test_check_says_what_it_found(maildrop: Maildrop, connect: Connect) -> None:
    maildrop.put(make_mail("1"))
    maildrop.capabilities.append("EXPIRE 0")
    identity = await (await connect()).check()
    assert identity.account == "kefu@example.com at 127.0.0.1"
    assert identity.details[0].startswith("1 mails")
    assert any("EXPIRE 0" in detail for detail in identity.details)
    assert any("no UIDL" in detail for detail in (await _check_without_uidl(maildrop, connect)))


async def _check_without_uidl(maildrop: Maildrop, connect: Connect) -> Sequence[str]:
    maildrop.on(b"^UIDL", b"-ERR unknown command")
    return (await (await connect()).check()).details


async def test_one_item_at_a_time(maildrop: Maildrop, connect: Connect, journal: MiniJournal) -> None:
    maildrop.put(*(make_mail(str(number)) for number in range(3)))
    connector = await connect()
    stream = (await connector.streams())[0]
    async with aclosing(_polled(connector, stream)) as polled:
        batches = [batch async for batch in polled]
    assert [len(batch.raws) for batch in batches] == [1, 1, 1, 0]


def _polled(connector: Pop3Connector, stream: str) -> Any:
    return connector.poll(stream, None, {}, 1)
