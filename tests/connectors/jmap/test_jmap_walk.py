"""What a JMAP server may do to whoever reads it: forget its states, shift its pages, refuse, limit, fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Wake
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import Raw
from allears_sdk.testing import RecordingLog
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors.jmap import JmapConnector, JmapSettings
from tests.connectors.jmap.conftest import Connect
from tests.connectors.jmap.server import ACCOUNT, ARCHIVE, INBOX, ISSUES, TOKEN, JmapServer, make_mail


def texts(raws: Sequence[Raw]) -> list[str]:
    return [raw.body.decode("utf-8", "replace").rpartition("\r\n\r\n")[2].strip() for raw in raws]


def problem(kind: str, status: int = 400, **more: Any) -> web.Response:
    body = {"type": f"urn:ietf:params:jmap:error:{kind}", "status": status, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


# What happens to a mail


async def test_seen_only_after_the_commit(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    server.put(make_mail("1"), make_mail("2"))
    with pytest.raises(Died):
        await hear(await connect(), journal, die_at=0)
    assert not any(mail.keywords for mail in server.mails.values())
    await hear(await connect(), journal)
    assert [mail.keywords for mail in server.mails.values()] == [{"$seen"}, {"$seen"}]


@pytest.mark.parametrize(("after", "left"), [("seen", 3), ("move", 0), ("delete", 0)])
async def test_what_a_crash_after_the_commit_left_undone_is_done_then(
    server: JmapServer, connect: Connect, journal: MiniJournal, after: str, left: int
) -> None:
    server.put(make_mail("1"), make_mail("2"), make_mail("3"))
    more = {"move_to": "archive"} if after == "move" else {}
    with pytest.raises(Died):
        await hear(await connect(after=after, **more), journal, die_at=0, is_stored=True)
    assert len(server.ids()) == 3
    await hear(await connect(after=after, **more), journal)
    assert len(server.ids()) == left
    assert (server.downloads, len(journal.raws)) == (3, 3)
    assert len(server.ids(ARCHIVE)) == (3 if after == "move" else 0)
    if after == "seen":
        assert all("$seen" in mail.keywords for mail in server.mails.values())


async def test_a_mail_that_lies_elsewhere_too_is_not_destroyed(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    alone, shared = server.put(make_mail("1"), make_mail("2"))
    server.mails[shared].folders.add(ISSUES)
    await hear(await connect(after="delete"), journal)
    assert alone not in server.mails
    assert server.mails[shared].folders == {ISSUES}


async def test_what_people_moved_after_a_crash_is_left_to_them(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    (mail,) = server.put(make_mail("1"))
    with pytest.raises(Died):
        await hear(await connect(after="delete"), journal, die_at=0, is_stored=True)
    server.mails[mail].folders = {ISSUES}
    await hear(await connect(after="delete"), journal)
    assert mail in server.mails


async def test_a_refusal_to_mark_stops_no_reading(
    server: JmapServer, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    server.put(make_mail("1"))
    server.refuse_set = {"type": "forbidden", "description": "not yours"}
    connector = await connect()
    await hear(connector, journal)
    server.put(make_mail("2"))
    await hear(connector, journal)
    assert texts(journal.raws) == ["1", "2"]
    assert "warning" in {level for level, _, _ in log.entries}


async def test_too_large_is_kept_by_its_header_and_left_alone(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    server.put(make_mail("x" * 3000, subject="附件太大"))
    await hear(await connect(after="delete", max_mail_bytes=2000), journal)
    (raw,) = journal.raws
    assert raw.quarantine
    assert "Subject: 附件太大\r\n" in raw.body.decode()
    assert b"xxx" not in raw.body
    assert len(server.ids()) == 1
    assert server.downloads == 0


# What is read


async def test_a_first_run_reads_back_so_far_and_no_further(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    server.put(make_mail("旧"), at=START - timedelta(days=31))
    server.put(make_mail("新"), at=START - timedelta(days=29))
    connector = await connect()
    await hear(connector, journal)
    server.touch(server.ids()[0])  # someone opens the old one: that files it not
    await hear(connector, journal)
    assert texts(journal.raws) == ["新"]


async def test_mail_moved_in_is_heard_and_flags_bring_nothing(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    (elsewhere,) = server.put(make_mail("曾是垃圾邮件"), folder=ISSUES)
    (here,) = server.put(make_mail("早就在"))
    connector = await connect(after="nothing")
    await hear(connector, journal)
    assert texts(journal.raws) == ["早就在"]
    server.mails[elsewhere].folders = {INBOX}
    server.touch(elsewhere)
    server.touch(here)
    await hear(connector, journal)
    assert texts(journal.raws) == ["早就在", "曾是垃圾邮件"]


async def test_folders_by_role_and_by_path_are_streams_of_their_own(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    server.put(make_mail("收件箱里"))
    server.put(make_mail("投诉里"), folder=ISSUES)
    connector = await connect(folders=("INBOX", "support/投诉"))
    await hear(connector, journal)
    assert sorted(texts(journal.raws)) == sorted(["收件箱里", "投诉里"])
    assert len(journal.cursors) == 2


async def test_a_state_the_server_has_forgotten_loses_and_doubles_nothing(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    server.put(*(make_mail(str(number)) for number in range(5)))
    connector = await connect()
    await hear(connector, journal)
    server.put(make_mail("5"), make_mail("6"))
    server.oldest_state = server.state
    await hear(connector, journal)
    assert sorted(texts(journal.raws)) == [str(number) for number in range(7)]
    assert server.downloads == 7, "known mails are not fetched again"


async def test_a_state_that_is_called_an_invalid_argument(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    server.put(make_mail("0"))
    connector = await connect()
    await hear(connector, journal)
    server.put(make_mail("1"))
    server.method_errors["Email/changes"] = [{"type": "invalidArguments", "arguments": ["sinceState"]}]
    await hear(connector, journal)
    assert texts(journal.raws) == ["0", "1"]


async def test_pages_that_shift_under_our_hands(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    ids = server.put(*(make_mail(f"{number:03}") for number in range(120)))
    connector = await connect(after="nothing")
    removed = iter(ids[:2])

    def remove_one(request: web.Request, body: Any) -> None:
        asked = [given.get("position", 0) for name, given, _ in (body or {}).get("methodCalls", ())]
        if any(asked) and (mail := next(removed, None)):
            server.remove(mail)

    server.spoilers.append(remove_one)
    await hear(connector, journal, limit=50)
    assert sorted(texts(journal.raws)) == [f"{number:03}" for number in range(2, 120)]


async def test_more_changes_than_one_answer_holds(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect()
    await hear(connector, journal)
    server.limits["maxObjectsInGet"] = 7
    server.put(*(make_mail(f"{number:02}") for number in range(40)))
    with pytest.raises(Unavailable, match="requestTooLarge"):
        await hear(connector, journal, limit=4)  # the limit it knew was another; now the session is asked anew
    await hear(connector, journal, limit=4)
    assert sorted(texts(journal.raws)) == [f"{number:02}" for number in range(40)]
    await hear(connector, journal)
    assert len(journal.raws) == 40


async def test_nothing_new_costs_one_request(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    server.put(*(make_mail(f"{number}") for number in range(9)))
    connector = await connect(after="nothing")
    await hear(connector, journal)
    server.methods.clear()
    await hear(connector, journal)
    assert server.methods == ["Mailbox/get", "Email/changes", "Email/get", "Email/get"]


async def test_a_mail_that_goes_while_it_is_fetched_is_no_letter(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    stays, goes = server.put(make_mail("在"), make_mail("走了"))

    def vanish(request: web.Request, body: Any) -> None:
        if request.path.startswith("/jmap/download") and goes in server.mails:
            server.remove(goes)

    server.spoilers.append(vanish)
    await hear(await connect(), journal)
    assert (texts(journal.raws), journal.missing) == (["在"], {})
    assert stays in server.mails


async def test_a_mail_that_is_not_handed_over_becomes_a_letter(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    _, bad, _ = server.put(make_mail("前"), make_mail("坏"), make_mail("后"))
    blob = server.mails[bad].blob
    server.spoilers.append(lambda request, body: web.Response(status=404) if blob in request.path else None)
    connector = await connect(after="delete")
    await hear(connector, journal)
    await hear(connector, journal)
    assert sorted(texts(journal.raws)) == sorted(["前", "后"])
    assert [item.locator["id"] for item in journal.missing.values()] == [bad]
    assert server.ids() == [bad], "what was not read is not deleted"


# What the server says


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (lambda: web.Response(status=401), AuthError, "refused the login"),
        (lambda: web.Response(status=403), AuthError, "scope"),
        (lambda: web.Response(status=429, headers={"Retry-After": "30"}), RetryLater, "429"),
        (lambda: web.Response(status=503), RetryLater, "503"),
        (lambda: web.Response(status=500), Unavailable, "500"),
        (lambda: problem("limit", limit="maxConcurrentRequests"), RetryLater, "maxConcurrentRequests"),
        (lambda: problem("limit", 429, limit="maxCallsInRequest"), RetryLater, "maxCallsInRequest"),
        (lambda: problem("unknownCapability"), ConfigError, "does not offer mail"),
        (lambda: problem("notRequest"), Unavailable, "400"),
        (lambda: web.Response(text="<html>"), Unavailable, "not JSON"),
        (lambda: web.json_response({"methodResponses": [["Email/get"]]}), Unavailable, "no JMAP response"),
        (lambda: web.json_response({"methodResponses": []}), Unavailable, "unanswered"),
        (lambda: web.json_response([]), Unavailable, "no JMAP response"),
    ],
)
async def test_an_http_answer_decides_what_happens(
    server: JmapServer, connect: Connect, journal: MiniJournal, answer: Any, expected: type[AllearsError], words: str
) -> None:
    server.put(make_mail("1"))
    spoiler = lambda request, body: answer() if body else None  # noqa: E731  # shorter than a function of its own
    server.spoilers.append(spoiler)
    connector = await connect()
    with pytest.raises(expected, match=words) as caught:
        await hear(connector, journal)
    assert "kefu-Pa55-word" not in f"{caught.value} {caught.value.detail}"
    server.spoilers.clear()
    await hear(connector, journal)
    assert texts(journal.raws) == ["1"]


@pytest.mark.parametrize(
    ("method", "kind", "expected"),
    [
        ("Email/query", "serverUnavailable", RetryLater),
        ("Email/query", "serverFail", Unavailable),
        ("Email/query", "unknownMethod", ConfigError),
        ("Email/get", "accountNotFound", ConfigError),
        ("Email/get", "requestTooLarge", Unavailable),
        ("Mailbox/get", "forbidden", ConfigError),
        ("Mailbox/get", "somethingNew", Unavailable),
    ],
)
async def test_a_method_error_decides_what_happens(
    server: JmapServer, connect: Connect, journal: MiniJournal, method: str, kind: str, expected: type[AllearsError]
) -> None:
    server.put(make_mail("1"))
    server.method_errors[method] = [{"type": kind, "description": "why"}]
    connector = await connect()
    with pytest.raises(expected):
        await hear(connector, journal)
    await hear(connector, journal)
    assert texts(journal.raws) == ["1"]


async def test_a_folder_that_is_gone_is_told(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    connector = await connect(folders=("Support/投诉",))
    await hear(connector, journal)
    del server.folders[ISSUES]
    with pytest.raises(Unavailable, match="gone"):
        await hear(connector, journal)
    with pytest.raises(ConfigError, match="no folder"):
        await hear(connector, journal)


async def test_a_session_that_is_none(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    server.spoilers.append(lambda request, body: web.Response(text="hello") if request.method == "GET" else None)
    with pytest.raises(Unavailable, match="no JMAP session"):
        await hear(await connect(), journal)


async def test_the_login_is_not_carried_to_another_host(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    other = JmapServer()
    await other.start()
    seen: list[str] = []
    server.spoilers.append(
        lambda request, body: web.Response(status=301, headers={"Location": f"{other.url}/jmap/session"})
    )
    other.spoilers.append(lambda request, body: seen.append(request.headers["Authorization"]))
    with pytest.raises(AuthError, match="another host"):
        await hear(await connect(), journal)
    assert seen == []
    await other.stop()


# Push


async def listened(connector: JmapConnector, woken: list[str]) -> None:
    async for item in connector.listen():
        assert isinstance(item, Wake)
        woken.append(item.stream)


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what happens at a server sets no event here
            await asyncio.sleep(0.005)


async def test_new_mail_wakes_and_our_own_marks_do_not(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    connector, woken = await connect(), list[str]()
    await hear(connector, journal)
    task = asyncio.create_task(listened(connector, woken))
    await until(lambda: server.listeners and woken)
    woken.clear()
    server.put(make_mail("推送"))
    await until(lambda: woken)
    await hear(connector, journal)
    assert texts(journal.raws) == ["推送"]
    assert server.mails[server.ids()[0]].keywords == {"$seen"}
    for queue in server.listeners:
        queue.put_nowait(b'event: ping\r\ndata: {"interval": 60}\r\n\r\n')
        queue.put_nowait(b"event: state\r\ndata: {nonsense\r\n\r\n: comment\r\n\r\n")
    await asyncio.sleep(0.1)
    assert len(woken) == 1
    server.tell()  # the state is the one that our own mark made
    await asyncio.sleep(0.1)
    assert len(woken) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_news_that_one_folder_has_read_already_wakes_the_other(
    server: JmapServer, connect: Connect, journal: MiniJournal
) -> None:
    connector, woken = await connect(folders=("inbox", "Support/投诉")), list[str]()
    inbox, issues = await connector.streams()
    await hear(connector, journal)
    task = asyncio.create_task(listened(connector, woken))
    await until(lambda: server.listeners and len(woken) == 2)
    woken.clear()
    listeners, server.listeners = server.listeners, set()  # the news is on its way
    server.put(make_mail("另一个文件夹"), folder=ISSUES)
    async for _ in connector.poll(inbox, journal.cursors[inbox], {}, 10):
        pass
    server.listeners = listeners
    server.tell()
    await until(lambda: woken)
    await asyncio.sleep(0.05)
    assert woken == [issues]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_ends_is_left_to_the_core(server: JmapServer, connect: Connect) -> None:
    connector, woken = await connect(), list[str]()
    task = asyncio.create_task(listened(connector, woken))
    await until(lambda: server.listeners)
    for queue in server.listeners:
        queue.put_nowait(b"")
    async with asyncio.timeout(2):
        await task


@pytest.mark.parametrize("how", ["no address", 204, 404, 501])
async def test_without_push_it_waits_and_polls(server: JmapServer, connect: Connect, how: str | int) -> None:
    if isinstance(how, int):
        server.push_status = how
    else:
        server.push = ""
    connector, woken = await connect(), list[str]()
    task = asyncio.create_task(listened(connector, woken))
    done, _ = await asyncio.wait([task], timeout=0.3)
    if how == 501:
        assert isinstance(task.exception(), Unavailable)
        return
    assert not done
    await connector.stop()
    async with asyncio.timeout(2):
        await task
    assert woken == []


async def test_an_event_without_end(server: JmapServer, connect: Connect) -> None:
    connector, woken = await connect(), list[str]()
    task = asyncio.create_task(listened(connector, woken))
    await until(lambda: server.listeners)
    for queue in server.listeners:
        for _ in range(20):
            queue.put_nowait(b"data: " + b"x" * 100_000 + b"\n")
    with pytest.raises(Unavailable, match="event"):
        await asyncio.wait_for(task, 5)


# Check and settings


async def test_check_says_what_it_found(server: JmapServer, connect: Connect, clock: FakeClock) -> None:
    server.put(make_mail("1"))
    identity = await (await connect(token=TOKEN)).check()
    assert identity.account.startswith("kefu@example.com at 127.0.0.1")
    assert identity.details[0] == "收件箱: 1 mails, 0 unread"
    with pytest.raises(ConfigError, match='did you mean "Support/投诉"'):
        await (await connect(folders=("Suport/投诉",))).check()
    with pytest.raises(ConfigError, match="no account"):
        await (await connect(account="nobody@example.com")).check()
    with pytest.raises(AuthError):
        await (await connect(password="wrong")).check()


async def test_check_finds_missing_rights(server: JmapServer, connect: Connect) -> None:
    server.rights = {"maySetSeen": False, "mayRemoveItems": False, "mayAddItems": False}
    for after, more in (("seen", {}), ("delete", {}), ("move", {"move_to": "archive"})):
        with pytest.raises(ConfigError, match="after"):
            await (await connect(after=after, **more)).check()
    assert (await (await connect(after="nothing")).check()).details
    server.read_only = True
    with pytest.raises(ConfigError, match="read-only"):
        await (await connect()).check()


async def test_a_shared_account_by_name(server: JmapServer, connect: Connect, journal: MiniJournal) -> None:
    asked: list[str] = []

    def note(request: web.Request, body: Any) -> None:
        asked.extend(given["accountId"] for _, given, _ in (body or {}).get("methodCalls", ()))

    server.spoilers.append(note)
    with pytest.raises(ConfigError):
        await hear(await connect(account="shared@example.com"), journal)
    assert set(asked) == {"u9"}
    assert ACCOUNT not in asked


@pytest.mark.parametrize(
    "fault",
    [
        {"url": "http://mail.example.com", "token": "t"},
        {"url": "https://user:secret@mail.example.com", "token": "t"},
        {"url": "https://mail.example.com"},
        {"url": "https://mail.example.com", "username": "a"},
        {"url": "https://mail.example.com", "token": "t", "username": "a", "password": "b"},
        {"url": "https://mail.example.com", "token": "t", "after": "move"},
        {"url": "https://mail.example.com", "token": "t", "after": "move", "move_to": "INBOX"},
        {"url": "https://mail.example.com", "token": "t", "folders": ["inbox", "Inbox"]},
    ],
)
def test_settings_that_cannot_work(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JmapSettings"):
        JmapSettings.model_validate(fault)


@pytest.mark.parametrize(
    ("url", "session"),
    [
        ("https://mail.example.com", "https://mail.example.com/.well-known/jmap"),
        ("https://mail.example.com/", "https://mail.example.com/.well-known/jmap"),
        ("https://api.example.com/jmap/session", "https://api.example.com/jmap/session"),
    ],
)
def test_where_the_session_is(url: str, session: str) -> None:
    assert JmapSettings.model_validate({"url": url, "token": "t"}).session_url == session
