"""Graph's own ways: links that grow old, mails it does not hand over, people who move things, folders, permissions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Rejected, RetryLater, Unavailable
from allears_sdk.message import RFC822
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors._mail import api_walk
from connectors._mail.api_walk import ABSENT_SECONDS, PATIENCE_SECONDS
from connectors.graph_mail import GraphMailConnector
from tests.connectors.graph_mail.conftest import Connect, make_settings
from tests.connectors.graph_mail.graph import MAILBOX, Graph, error, make_mail

VALUE = r"\$value$"
DELTA = r"/messages/delta"


def text_of(number: int) -> str:
    return f"第{number}单：屏幕碎了，要求退款。Order 7741{number}, refund please."


def heard(journal: MiniJournal) -> list[str]:
    return [raw.key for raw in journal.raws]


async def test_a_mail_is_handed_over_byte_for_byte(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    mime = make_mail("投诉：发错货，客服不理".encode("gb18030"), number=1)
    key = graph.put(mime, age=timedelta(hours=2))
    await hear(connect(), journal)
    [raw] = journal.raws
    assert (raw.key, raw.body, raw.media_type) == (key, mime, RFC822)
    assert raw.received_at == START - timedelta(hours=2) + timedelta(seconds=1)
    assert raw.context == {"mailbox": MAILBOX, "folder": "inbox"}
    assert graph.items[key].is_read


async def test_a_first_run_looks_back_and_older_mails_are_never_filed(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    graph.most_per_page = 2
    old = [graph.put(make_mail(text_of(n)), age=timedelta(days=40)) for n in range(5)]
    new = [graph.put(make_mail(text_of(n)), age=timedelta(days=20 - n)) for n in range(5)]
    connector = connect()
    await hear(connector, journal)
    graph.change(old[0])
    graph.move(old[1], "AQMkFiled")
    graph.move(old[1], "AQMkInbox")
    await hear(connector, journal)
    assert heard(journal) == new, "in the order they came, without the old ones, touched or not"
    assert graph.called(VALUE) == len(new), "the body of an old mail was fetched"
    assert not any(graph.items[key].is_read for key in old)


async def test_what_arrives_after_the_first_try_is_never_too_old(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    connector = connect(look_back=timedelta(0))
    graph.fail(DELTA, error(500, "generalException"))
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    graph.put(make_mail(text_of(1)), age=timedelta(hours=1))
    key = graph.put(make_mail(text_of(2)), age=timedelta(0))
    clock.advance(3600)
    await hear(connector, journal)
    assert heard(journal) == [key]


async def test_a_poll_without_news_is_one_request(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    for number in range(3):
        graph.put(make_mail(text_of(number)))
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    graph.calls.clear()
    await hear(connector, journal)
    assert len(graph.calls) == 1


async def test_read_flags_moves_and_removals_bring_nothing(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(3)]
    connector = connect()
    await hear(connector, journal)
    graph.change(keys[0])
    graph.move(keys[1], "AQMkFiled")
    graph.move(keys[1], "AQMkInbox")
    graph.items[keys[2]].removed = True
    graph.move(keys[2], "")
    await hear(connector, journal)
    assert heard(journal) == keys
    assert graph.called(VALUE) == len(keys)


async def test_a_mail_that_people_move_in_is_heard(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    key = graph.put(make_mail(text_of(1)), folder="AQMkSub")
    await hear(connector, journal)
    assert heard(journal) == []
    graph.move(key, "AQMkInbox")
    await hear(connector, journal)
    assert heard(journal) == [key]


async def test_an_expired_link_lists_anew_and_fetches_only_what_is_unknown(
    graph: Graph, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    first = [graph.put(make_mail(text_of(number))) for number in range(4)]
    connector = connect()
    await hear(connector, journal)
    graph.states["AQMkInbox"] += 10
    late = graph.put(make_mail(text_of(9)))
    await hear(connector, journal)
    assert heard(journal) == [*first, late]
    assert graph.called(VALUE) == len(first) + 1
    assert [entry[1] for entry in log.entries] == ["mail_position_void"]


@pytest.mark.parametrize(("status", "code"), [(400, "BadRequest"), (404, "ErrorItemNotFound"), (410, "resyncRequired")])
async def test_a_link_that_is_refused_is_given_up(
    graph: Graph, connect: Connect, journal: MiniJournal, status: int, code: str
) -> None:
    connector = connect()
    await hear(connector, journal)
    graph.fail(r"deltatoken", error(status, code))
    key = graph.put(make_mail(text_of(1)))
    await hear(connector, journal)
    assert heard(journal) == [key]


async def test_a_folder_made_anew_is_a_new_list(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    connector = connect(folders=["inbox/投诉"])
    first = graph.put(make_mail(text_of(1)), folder="AQMkSub")
    await hear(connector, journal)
    del graph.folders["AQMkSub"]
    graph.folders["AQMkSub2"] = ("AQMkInbox", "投诉")
    second = graph.put(make_mail(text_of(2)), folder="AQMkSub2")
    graph.move(first, "AQMkSub2")
    await hear(connector, journal)
    assert heard(journal) == [first, second]


async def test_a_link_that_leads_elsewhere_gets_no_token(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    body = {"value": [], "@odata.nextLink": "https://graph.microsoft.com.evil.example/v1.0/delta?$skiptoken=1"}
    graph.fail(DELTA, httpx.Response(200, json=body))
    with pytest.raises(Unavailable, match="another host"):
        await hear(connect(), journal)
    assert not graph.called("evil")


@pytest.mark.parametrize("die_at", [0, 1, 2, 3])
@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("after", ["seen", "delete", "move"])
async def test_after_a_death_all_is_settled_in_the_end(
    graph: Graph, connect: Connect, journal: MiniJournal, after: str, is_stored: bool, die_at: int
) -> None:
    graph.most_per_page = 3
    keys = [graph.put(make_mail(text_of(number))) for number in range(6)]
    settings = {"after": after, "move_to": "Filed" if after == "move" else ""}
    with pytest.raises(Died):
        await hear(connect(**settings), journal, limit=2, die_at=die_at, is_stored=is_stored)
    await hear(connect(**settings), journal, limit=2)
    assert sorted(heard(journal)) == keys
    target = {"seen": "AQMkInbox", "delete": "AQMkDeleted", "move": "AQMkFiled"}[after]
    assert graph.lying_in(target) == keys
    assert all(item.is_read for item in graph.items.values()) == (after == "seen")


async def test_what_people_took_back_meanwhile_is_left_to_them(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    """Died between commit and move; before the restart somebody moved the mail elsewhere."""
    key = graph.put(make_mail(text_of(1)))
    with pytest.raises(Died):
        await hear(connect(after="delete"), journal, die_at=1, is_stored=True)
    graph.move(key, "AQMkSub")
    await hear(connect(after="delete"), journal)
    assert graph.lying_in("AQMkSub") == [key]
    assert not graph.called("DELETE")


async def test_a_throttled_mark_is_made_later(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    key = graph.put(make_mail(text_of(1)))
    connector = connect()
    graph.fail("PATCH", error(429, "TooManyRequests", headers={"Retry-After": "7"}))
    with pytest.raises(RetryLater) as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 7
    await hear(connector, journal)
    assert (heard(journal), graph.items[key].is_read) == ([key], True)


async def test_marks_go_on_where_a_throttle_broke_them_off(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(12)]
    graph.fail("/move", *([None] * 4 + [error(429, "TooManyRequests")]) * 5)
    connector = connect(after="delete")
    polls = 0
    while graph.lying_in("AQMkInbox"):
        polls += 1
        try:
            await hear(connector, journal)
        except RetryLater:
            continue
    assert sorted(heard(journal)) == graph.lying_in("AQMkDeleted") == keys
    assert polls <= 5, "marks that were made are made again and again"
    assert graph.called(VALUE) == len(keys)


async def test_a_long_list_goes_on_where_a_throttle_broke_it_off(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    graph.most_per_page = 2
    keys = [graph.put(make_mail(text_of(number))) for number in range(20)]
    graph.fail(DELTA, *([None] * 3 + [error(503, "serviceNotAvailable")]) * 3)
    connector = connect()
    for _ in range(3):
        with pytest.raises(RetryLater):
            await hear(connector, journal)
    await hear(connector, journal)
    assert heard(journal) == keys
    assert graph.called(DELTA) <= len(keys) / 2 + 3 + 1, "it began anew"


async def test_a_mark_that_fails_for_ever_stops_no_reading_and_no_other_mark(
    graph: Graph, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(7)]
    graph.fail(f"PATCH .*{keys[1]}", *[error(500, "ErrorInternalServerError")] * 99)
    connector = connect()
    with pytest.raises(Unavailable):
        await hear(connector, journal)
    late = graph.put(make_mail(text_of(9)))
    await hear(connector, journal)
    assert heard(journal) == [*keys, late]
    assert [key for key in graph.items if not graph.items[key].is_read] == [keys[1]]
    assert [entry[1] for entry in log.entries] == ["mail_not_settled"]


async def test_a_mark_that_is_refused_stops_no_reading(
    graph: Graph, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(2)]
    graph.fail("PATCH", *[error(403, "ErrorAccessDenied", "Access is denied.")] * 9)
    connector = connect()
    await hear(connector, journal)
    graph.put(make_mail(text_of(3)))
    await hear(connector, journal)
    assert len(heard(journal)) == len(keys) + 1
    assert {entry[1] for entry in log.entries} == {"mail_not_settled"}
    assert "Mail.ReadWrite" in str(log.entries[0][2]["reason"])


async def test_what_was_fetched_is_stored_before_a_throttle_is_obeyed(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(6)]
    graph.fail(VALUE, None, None, None, error(429, "ApplicationThrottled", headers={"Retry-After": "12"}))
    connector = connect()
    with pytest.raises(RetryLater) as caught:
        await hear(connector, journal)
    assert caught.value.after_seconds == 12
    assert len(journal.raws) >= 3
    await hear(connector, journal)
    assert sorted(heard(journal)) == keys
    assert graph.called(VALUE) <= len(keys) + 3


@pytest.mark.parametrize("status", [400, 422])
async def test_a_mail_that_is_refused_is_a_letter_with_its_place(
    graph: Graph, connect: Connect, journal: MiniJournal, status: int
) -> None:
    bad, good = graph.put(make_mail(text_of(1))), graph.put(make_mail(text_of(2)))
    graph.fail(
        rf"{bad}/\$value", *[error(status, "ErrorMimeContentConversionFailed", "Content conversion failed.")] * 9
    )
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    [missing] = journal.missing.values()
    assert missing.locator == {"mailbox": MAILBOX, "folder": "inbox", "id": bad}
    assert "ErrorMimeContentConversionFailed" in missing.reason
    assert heard(journal) == [good]
    assert not graph.items[bad].is_read


async def test_one_mail_that_fails_again_and_again_delays_no_other_and_ends_as_a_letter(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    bad = graph.put(make_mail(text_of(1)))
    graph.fail(rf"{bad}/\$value", *[error(500, "ErrorInternalServerError")] * 99)
    connector = connect()
    for number in range(2, 5):
        good = graph.put(make_mail(text_of(number)))
        with pytest.raises(Unavailable, match="not handed over"):
            await hear(connector, journal)
        assert heard(journal)[-1] == good
        assert not journal.missing
        clock.advance(PATIENCE_SECONDS / 2.5)
    await hear(connector, journal)
    assert [missing.locator["id"] for missing in journal.missing.values()] == [bad]
    graph.calls.clear()
    await hear(connector, journal)
    assert graph.called(VALUE) == 0, "the round is over"


async def test_an_outage_condemns_no_mail(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    keys = [graph.put(make_mail(text_of(number))) for number in range(8)]
    graph.fail(VALUE, *[error(504, "UnknownError", "")] * 30)
    connector = connect()
    for _ in range(10):
        with pytest.raises(Unavailable):
            await hear(connector, journal)
        clock.advance(600)
    assert (journal.raws, journal.missing) == ([], {})
    await hear(connector, journal)
    assert heard(journal) == keys


async def test_a_mail_that_vanished_since_it_was_listed_is_no_error(
    graph: Graph, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    gone, good = graph.put(make_mail(text_of(1))), graph.put(make_mail(text_of(2)))
    graph.items[gone].removed = True
    connector = connect()
    await hear(connector, journal)
    clock.advance(ABSENT_SECONDS)
    await hear(connector, journal)
    assert (heard(journal), journal.missing) == ([good], {})
    graph.calls.clear()
    await hear(connector, journal)
    assert graph.called(VALUE) == 0


async def test_a_mail_that_is_listed_before_it_can_be_had_is_not_lost(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    early, good = graph.put(make_mail(text_of(1))), graph.put(make_mail(text_of(2)))
    graph.fail(rf"{early}/\$value", error(404, "ErrorItemNotFound"))
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    assert heard(journal) == [good, early]


async def test_an_empty_answer_is_not_taken_for_a_mail(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    graph.put(b"")
    with pytest.raises(Unavailable):
        await hear(connect(), journal)
    assert journal.raws == []


async def test_too_large_is_quarantined_with_its_header_and_read_whole_with_a_larger_limit(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    mime = make_mail("很长" * 2000)
    key = graph.put(mime)
    connector = connect(max_mail_bytes=2000)
    await hear(connector, journal)
    [raw] = journal.raws
    assert raw.body == mime[: mime.index(b"\r\n\r\n") + 4]
    assert "larger than 2000 bytes" in raw.quarantine
    assert not graph.items[key].is_read
    graph.change(key)
    await hear(connector, journal)
    assert len(journal.raws) == 1
    graph.change(key)
    await hear(connect(max_mail_bytes=len(mime)), journal)
    assert [raw.body for raw in journal.raws][1:] == [mime]
    assert journal.raws[1].quarantine == ""


async def test_a_backlog_takes_turns_and_todays_mail_does_not_wait(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    keys = [graph.put(make_mail(text_of(number)), age=timedelta(days=2)) for number in range(30)]
    late = graph.put(make_mail(text_of(99)))
    item = graph.items.pop(late)
    graph.log.pop()
    graph.after_list = [item]
    batches = await hear(connect(), journal, limit=2)
    order = heard(journal)
    assert sorted(order) == sorted([*keys, late])
    assert order.index(late) < 10
    assert set(order[:4]) == {keys[-1], keys[-2], keys[0], keys[1]}, "newest and oldest take turns"
    assert [batch.more for batch in batches][-1] is False
    assert all(len(batch.raws) <= 2 for batch in batches)


async def test_an_endless_backlog_is_read_in_rounds(
    graph: Graph, connect: Connect, journal: MiniJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_walk, "ROUND", 4)
    graph.most_per_page = 2
    keys = [graph.put(make_mail(text_of(number))) for number in range(13)]
    with pytest.raises(Died):
        await hear(connect(), journal, limit=3, die_at=4, is_stored=True)
    [cursor] = journal.cursors.values()
    assert "skiptoken" in cursor["position"], "a finished round moves the cursor"
    await hear(connect(), journal, limit=3)
    assert sorted(heard(journal)) == keys
    assert graph.called(VALUE) == len(keys)


async def test_listing_what_is_old_moves_on_page_by_page(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    graph.most_per_page = 2
    for number in range(9):
        graph.put(make_mail(text_of(number)), age=timedelta(days=90))
    with pytest.raises(Died):
        await hear(connect(), journal, die_at=2, is_stored=True)
    lists = graph.called(DELTA)
    late = graph.put(make_mail(text_of(99)))
    await hear(connect(), journal)
    await hear(connect(), journal)
    assert heard(journal) == [late]
    assert graph.called(DELTA) - lists <= 4, "it began anew"


async def test_a_page_is_at_most_some_megabytes(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    for number in range(8):
        graph.put(make_mail(bytes([65 + number]) * (3 << 20)))
    batches = await hear(connect(), journal, limit=100)
    assert max(sum(len(raw.body) for raw in batch.raws) for batch in batches) < 20 << 20
    assert len(journal.raws) == 8


async def test_an_expired_token_is_renewed_once(graph: Graph, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    graph.good_tokens.clear()
    key = graph.put(make_mail(text_of(1)))
    await hear(connector, journal)
    assert heard(journal) == [key]
    assert graph.tokens_given == 2


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (error(401, "InvalidAuthenticationToken"), AuthError, "access token"),
        (error(403, "ErrorAccessDenied", "Access to OData is disabled."), ConfigError, "Mail.ReadWrite"),
        (error(404, "ErrorInvalidUser"), ConfigError, "no mailbox"),
        (error(404, "MailboxNotEnabledForRESTAPI"), ConfigError, "no mailbox"),
        (error(429, "TooManyRequests", headers={"Retry-After": "30"}), RetryLater, "429"),
        (error(503, "serviceNotAvailable", headers={"Retry-After": "30"}), RetryLater, "503"),
        (error(509, "BandwidthLimitExceeded"), RetryLater, "509"),
        (error(500, "generalException"), Unavailable, "500"),
        (error(400, "invalidRequest"), Rejected, "400"),
    ],
)
async def test_refusals_are_named_by_the_reaction_they_ask_for(
    graph: Graph, connect: Connect, journal: MiniJournal, answer: Any, expected: type[AllearsError], words: str
) -> None:
    graph.fail(DELTA, *[answer] * 9)
    with pytest.raises(AllearsError, match=words) as caught:
        await hear(connect(), journal)
    assert type(caught.value) is expected
    if words in ("429", "503"):
        assert isinstance(caught.value, RetryLater)
        assert caught.value.after_seconds == 30


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"value": []}'])
async def test_nonsense_is_unavailable(graph: Graph, connect: Connect, journal: MiniJournal, body: bytes) -> None:
    graph.fail(DELTA, *[httpx.Response(200, content=body)] * 3)
    with pytest.raises(Unavailable):
        await hear(connect(), journal)


class Nobody:
    async def show(self, url: str, code: str) -> None:
        raise AssertionError("an application asks nobody")

    async def prompt(self, text: str) -> str:
        return ""


async def test_logging_in_without_a_person_proves_the_secret(graph: Graph, connect: Connect) -> None:
    await connect().login(Nobody())
    assert graph.tokens_given == 1


async def test_check_says_who_and_how_much(graph: Graph, connect: Connect) -> None:
    graph.put(make_mail(text_of(1)))
    identity = await connect(folders=["inbox", "Inbox/投诉"], after="move", move_to="filed").check()
    assert identity.account == MAILBOX
    assert identity.details[0] == "收件箱: 1 mails, 1 unread"
    assert identity.details[1:3] == ("投诉: 0 mails, 0 unread", "Filed: 0 mails, 0 unread")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"folders": ["inbox/投拆"]}, "投诉"),
        ({"folders": ["Field"]}, 'did you mean "Filed"'),
        ({"folders": ["archive"]}, "no folder"),
        ({"mailbox": "nobody@contoso.com"}, "no mailbox"),
    ],
)
async def test_check_names_what_is_wrong(graph: Graph, connect: Connect, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await connect(**settings).check()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"after": "move"}, "go together"),
        ({"move_to": "Filed"}, "go together"),
        ({"after": "move", "move_to": "Inbox"}, "must not be"),
        ({"folders": ["inbox", "INBOX"]}, "twice"),
        ({"mailbox": "me"}, "no mailbox of its own"),
        ({"notification_url": "https://hooks.example.com/in/a"}, "go together"),
        ({"notification_url": "http://hooks.example.com/in/a", "notification_secret": "x"}, "notification_url"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make_settings(**settings)


def test_as_little_permission_as_needed() -> None:
    personal = {"provider": "microsoft", "tenant": "contoso.com", "client_id": "6731de76"}
    assert make_settings(oauth=personal).scopes == (
        "https://graph.microsoft.com/Mail.ReadWrite",
        "https://graph.microsoft.com/Mail.ReadWrite.Shared",
    )
    assert make_settings(oauth=personal, mailbox="me", after="nothing").scopes == (
        "https://graph.microsoft.com/Mail.Read",
        "https://graph.microsoft.com/User.Read",
    )


async def test_streams_are_named_by_what_their_cursors_depend_on(context: Context) -> None:
    names = await GraphMailConnector(make_settings(folders=["inbox", "inbox/投诉"]), context).streams()
    assert names == (
        f"graph://{MAILBOX}@graph.microsoft.com/inbox",
        f"graph://{MAILBOX}@graph.microsoft.com/inbox/投诉",
    )


async def test_a_cursor_of_a_newer_allears_is_not_guessed_at(
    graph: Graph, connect: Connect, journal: MiniJournal
) -> None:
    connector = connect()
    [stream] = await connector.streams()
    for cursor in ({"version": 2}, {"version": 1, "since": "yesterday"}, {"version": 1, "marks": 5}):
        journal.cursors[stream] = cursor
        with pytest.raises(ConfigError, match="cursor"):
            await hear(connector, journal)
