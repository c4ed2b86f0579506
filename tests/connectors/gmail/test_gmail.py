"""Gmail's own ways: history that is forgotten, labels that people move about, quotas, mails it does not hand over."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.message import RFC822
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.journal import Died, MiniJournal, hear
from connectors._mail.api_walk import ABSENT_SECONDS, PATIENCE_SECONDS
from connectors.gmail import GmailConnector
from tests.connectors.gmail.conftest import Connect, make_settings
from tests.connectors.gmail.google import ACCOUNT, PUSH_TOKEN, TOPIC, Google, error, make_mail

RAW = "format=raw"
HISTORY = "GET .*/history"


def text_of(number: int) -> str:
    return f"第{number}单：屏幕碎了，要求退款。Order 7741{number}, refund please."


def heard(journal: MiniJournal) -> list[str]:
    return [raw.key for raw in journal.raws]


async def test_a_mail_is_handed_over_byte_for_byte(google: Google, connect: Connect, journal: MiniJournal) -> None:
    mime = make_mail("投诉：发错货，客服不理".encode("gb18030"))
    key = google.put(mime, age=timedelta(hours=2))
    await hear(connect(), journal)
    [raw] = journal.raws
    assert (raw.key, raw.body, raw.media_type) == (key, mime, RFC822)
    assert raw.received_at == START - timedelta(hours=2) + timedelta(seconds=1)
    assert raw.context == {"mailbox": ACCOUNT, "folder": "INBOX"}
    assert google.labelled("UNREAD") == []


@pytest.mark.parametrize("padding", ["", "="])
async def test_padding_may_be_missing(google: Google, connect: Connect, journal: MiniJournal, padding: str) -> None:
    key = google.put(b"")
    shown = {
        "id": key,
        "labelIds": ["INBOX"],
        "internalDate": "1795320000000",
        "raw": "U3ViamVjdDogeA0KDQp_Pz8" + padding,
    }
    google.fail(RAW, httpx.Response(200, json=shown))
    await hear(connect(), journal)
    assert [raw.body for raw in journal.raws] == [b"Subject: x\r\n\r\n\x7f??"]


async def test_a_first_run_looks_back_and_older_mails_are_never_filed(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    google.most_per_page = 2
    old = [google.put(make_mail(text_of(n)), age=timedelta(days=40)) for n in range(3)]
    new = [google.put(make_mail(text_of(n)), age=timedelta(days=20 - n)) for n in range(5)]
    connector = connect()
    await hear(connector, journal)
    google.label(old[0], remove=("INBOX",))
    google.label(old[0], add=("INBOX",))
    await hear(connector, journal)
    assert heard(journal) == new
    assert google.labelled("UNREAD") == old


async def test_a_poll_without_news_is_one_request(google: Google, connect: Connect, journal: MiniJournal) -> None:
    for number in range(3):
        google.put(make_mail(text_of(number)))
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    google.calls.clear()
    await hear(connector, journal)
    assert len(google.calls) == 1


async def test_what_people_put_under_the_label_is_heard_other_labels_bring_nothing(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    connector = connect(labels=["INBOX", "投诉"])
    key = google.put(make_mail(text_of(1)))
    spam = google.put(make_mail(text_of(2)), label="SPAM")
    await hear(connector, journal)
    assert heard(journal) == [key]
    google.label(key, add=("STARRED",))
    google.label(key, add=("Label_12",))
    google.label(spam, add=("INBOX",), remove=("SPAM",))
    await hear(connector, journal)
    assert heard(journal) == [key, spam]
    assert google.called(RAW) == 2


async def test_a_draft_is_no_mail(google: Google, connect: Connect, journal: MiniJournal) -> None:
    key = google.put(make_mail(text_of(1)))
    google.items[key].labels.add("DRAFT")
    await hear(connect(), journal)
    assert (heard(journal), journal.missing) == ([], {})


async def test_forgotten_history_lists_anew_and_fetches_only_what_is_unknown(
    google: Google, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    first = [google.put(make_mail(text_of(number))) for number in range(4)]
    connector = connect()
    await hear(connector, journal)
    late = google.put(make_mail(text_of(9)))
    google.oldest = google.newest + 1
    await hear(connector, journal)
    assert heard(journal) == [*first, late]
    assert google.called(RAW) == len(first) + 1
    assert [entry[1] for entry in log.entries] == ["mail_position_void"]


async def test_history_in_pages_is_read_to_the_end(google: Google, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    google.most_per_page = 2
    keys = [google.put(make_mail(text_of(number))) for number in range(7)]
    with pytest.raises(Died):
        await hear(connector, journal, limit=3, die_at=1)
    await hear(connector, journal, limit=3)
    assert sorted(heard(journal)) == keys


@pytest.mark.parametrize("die_at", [0, 1, 2, 3])
@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("after", ["seen", "archive", "trash"])
async def test_after_a_death_all_is_settled_in_the_end(
    google: Google, connect: Connect, journal: MiniJournal, after: str, is_stored: bool, die_at: int
) -> None:
    google.most_per_page = 3
    keys = [google.put(make_mail(text_of(number))) for number in range(6)]
    with pytest.raises(Died):
        await hear(connect(after=after), journal, limit=2, die_at=die_at, is_stored=is_stored)
    await hear(connect(after=after), journal, limit=2)
    assert sorted(heard(journal)) == keys
    assert google.labelled("UNREAD") == ([] if after == "seen" else keys)
    assert google.labelled("INBOX") == (keys if after == "seen" else [])
    assert google.labelled("TRASH") == (keys if after == "trash" else [])


async def test_what_people_filed_away_meanwhile_is_not_trashed(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    """Died between commit and trash; before the restart somebody archived the mail."""
    key = google.put(make_mail(text_of(1)))
    with pytest.raises(Died):
        await hear(connect(after="trash"), journal, die_at=1, is_stored=True)
    google.label(key, remove=("INBOX",))
    await hear(connect(after="trash"), journal)
    assert google.labelled("TRASH") == []


async def test_nothing_touches_nothing(google: Google, connect: Connect, journal: MiniJournal) -> None:
    keys = [google.put(make_mail(text_of(number))) for number in range(3)]
    await hear(connect(after="nothing"), journal)
    assert google.labelled("UNREAD") == google.labelled("INBOX") == keys
    assert not google.called("POST https://gmail")


async def test_one_mail_that_vanished_hinders_no_mark(google: Google, connect: Connect, journal: MiniJournal) -> None:
    keys = [google.put(make_mail(text_of(number))) for number in range(3)]
    google.fail("batchModify", error(404, "notFound"))
    google.fail(f"{keys[0]}/modify", error(404, "notFound"))
    await hear(connect(), journal)
    assert google.labelled("UNREAD") == keys[:1]


async def test_a_throttled_mark_is_made_later(google: Google, connect: Connect, journal: MiniJournal) -> None:
    key = google.put(make_mail(text_of(1)))
    connector = connect()
    google.fail("batchModify", error(429, "rateLimitExceeded"))
    with pytest.raises(RetryLater):
        await hear(connector, journal)
    assert google.labelled("UNREAD") == [key]
    await hear(connector, journal)
    assert (heard(journal), google.labelled("UNREAD")) == ([key], [])


async def test_a_mail_that_is_refused_is_a_letter_with_its_place(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    bad, good = google.put(make_mail(text_of(1))), google.put(make_mail(text_of(2)))
    google.fail(rf"{bad}.*{RAW}", *[error(400, "invalidArgument", "Precondition check failed.")] * 9)
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    [missing] = journal.missing.values()
    assert missing.locator == {"mailbox": ACCOUNT, "folder": "INBOX", "id": bad}
    assert heard(journal) == [good]


@pytest.mark.parametrize(
    "answer",
    [
        error(500, "backendError"),
        httpx.Response(200, json={"id": "x", "internalDate": "0"}),
        httpx.Response(200, json={"id": "x", "raw": "!!!"}),
        httpx.Response(200, content=b"[]"),
    ],
)
async def test_one_mail_that_fails_again_and_again_delays_no_other_and_ends_as_a_letter(
    google: Google, connect: Connect, journal: MiniJournal, clock: FakeClock, answer: httpx.Response
) -> None:
    bad = google.put(make_mail(text_of(1)))
    google.fail(rf"{bad}.*{RAW}", *[answer] * 99)
    connector = connect()
    for number in range(2, 4):
        good = google.put(make_mail(text_of(number)))
        with pytest.raises(Unavailable, match="not handed over"):
            await hear(connector, journal)
        assert heard(journal)[-1] == good
        clock.advance(PATIENCE_SECONDS / 2)
    await hear(connector, journal)
    assert [missing.locator["id"] for missing in journal.missing.values()] == [bad]
    google.calls.clear()
    await hear(connector, journal)
    assert google.called(RAW) == 0


async def test_a_mail_that_vanished_since_it_was_listed_is_no_error(
    google: Google, connect: Connect, journal: MiniJournal, clock: FakeClock
) -> None:
    gone, good = google.put(make_mail(text_of(1))), google.put(make_mail(text_of(2)))
    google.fail(rf"{gone}.*{RAW}", *[error(404, "notFound")] * 9)
    connector = connect()
    await hear(connector, journal)
    clock.advance(ABSENT_SECONDS)
    await hear(connector, journal)
    assert (heard(journal), journal.missing) == ([good], {})
    google.calls.clear()
    await hear(connector, journal)
    assert google.called(RAW) == 0


async def test_a_mail_that_is_listed_before_it_can_be_had_is_not_lost(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    early, good = google.put(make_mail(text_of(1))), google.put(make_mail(text_of(2)))
    google.fail(rf"{early}.*{RAW}", error(404, "notFound"))
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    assert heard(journal) == [good, early]


@pytest.mark.parametrize("size", [1500, 100_000])
async def test_too_large_is_quarantined_with_its_header(
    google: Google, connect: Connect, journal: MiniJournal, size: int
) -> None:
    mime = make_mail("x" * size)
    key = google.put(mime)
    connector = connect(max_mail_bytes=1200)
    await hear(connector, journal)
    [raw] = journal.raws
    assert raw.body == mime[: mime.index(b"\r\n\r\n") + 4]
    assert "larger than 1200 bytes" in raw.quarantine
    assert google.labelled("UNREAD") == [key]
    google.label(key, remove=("INBOX",))
    google.label(key, add=("INBOX",))
    await hear(connector, journal)
    assert len(journal.raws) == 1
    google.label(key, add=("INBOX",))
    await hear(connect(), journal)
    assert journal.raws[1].body == mime


async def test_a_backlog_takes_turns_and_todays_mail_does_not_wait(
    google: Google, connect: Connect, journal: MiniJournal
) -> None:
    keys = [google.put(make_mail(text_of(number)), age=timedelta(days=2)) for number in range(30)]
    late = google.put(make_mail(text_of(99)))
    google.after_list = [google.items.pop(late)]
    google.history.pop()
    batches = await hear(connect(), journal, limit=2)
    order = heard(journal)
    assert sorted(order) == sorted([*keys, late])
    assert order.index(late) < 10
    assert set(order[:4]) == {keys[-1], keys[-2], keys[0], keys[1]}, "newest and oldest take turns"
    assert batches[-1].more is False


async def test_an_expired_token_is_renewed_once(google: Google, connect: Connect, journal: MiniJournal) -> None:
    connector = connect()
    await hear(connector, journal)
    google.good_tokens.clear()
    key = google.put(make_mail(text_of(1)))
    await hear(connector, journal)
    assert heard(journal) == [key]
    assert google.tokens_given == 2


@pytest.mark.parametrize(
    ("answer", "expected", "words", "seconds"),
    [
        (error(401, "authError"), AuthError, "access token", None),
        (error(403, "insufficientPermissions"), AuthError, "gmail.modify", None),
        (error(403, "forbidden", details="ACCESS_TOKEN_SCOPE_INSUFFICIENT"), AuthError, "gmail.modify", None),
        (error(403, "accessNotConfigured"), ConfigError, "switch the Gmail API on", None),
        (error(403, "forbidden", details="SERVICE_DISABLED"), ConfigError, "switch the Gmail API on", None),
        (error(403, "domainPolicy"), ConfigError, "administrator", None),
        (error(403, "forbidden"), ConfigError, "permission", None),
        (error(400, "failedPrecondition", "Mail service not enabled"), ConfigError, "not switched on", None),
        (error(403, "rateLimitExceeded"), RetryLater, "rateLimitExceeded", None),
        (error(403, "userRateLimitExceeded"), RetryLater, "userRateLimitExceeded", None),
        (error(403, "dailyLimitExceeded"), RetryLater, "dailyLimitExceeded", 3600),
        (error(429, "rateLimitExceeded", headers={"Retry-After": "9"}), RetryLater, "429", 9),
        (error(429, "rateLimitExceeded", headers={"Retry-After": "0"}), RetryLater, "429", 0),
        (
            error(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-11-22T04:10:00.500Z"),
            RetryLater,
            "429",
            600.5,
        ),
        (error(503, "backendError"), RetryLater, "503", None),
        (error(500, "backendError"), Unavailable, "500", None),
        (httpx.Response(502, content=b"<html>"), Unavailable, "502", None),
        (httpx.Response(200, content=b"<html>"), Unavailable, "not JSON", None),
    ],
)
async def test_refusals_are_named_by_the_reaction_they_ask_for(
    google: Google,
    connect: Connect,
    journal: MiniJournal,
    answer: httpx.Response,
    expected: type[AllearsError],
    words: str,
    seconds: float | None,
) -> None:
    connector = connect()
    await hear(connector, journal)
    google.fail(HISTORY, *[answer] * 9)
    with pytest.raises(AllearsError, match=words) as caught:
        await hear(connector, journal)
    assert type(caught.value) is expected
    assert getattr(caught.value, "after_seconds", None) == seconds


async def test_another_account_is_not_read(google: Google, connect: Connect, journal: MiniJournal) -> None:
    google.account = "somebody@example.com"
    google.put(make_mail(text_of(1)))
    for attempt in (hear(connect(), journal), connect().check()):
        with pytest.raises(ConfigError, match=r"somebody@example\.com"):
            await attempt
    assert journal.raws == []


class Nobody:
    async def show(self, url: str, code: str) -> None:
        raise AssertionError("a service account asks nobody")

    async def prompt(self, text: str) -> str:
        return ""


async def test_logging_in_without_a_person_proves_the_key(google: Google, connect: Connect) -> None:
    await connect().login(Nobody())
    assert google.tokens_given == 1


async def test_check_says_who_and_how_much(google: Google, connect: Connect) -> None:
    google.put(make_mail(text_of(1)))
    identity = await connect(labels=["inbox", "投诉", "complaints/2026"]).check()
    assert identity.account == ACCOUNT
    assert identity.details == (
        "inbox: 1 mails, 1 unread",
        "投诉: 0 mails, 0 unread",
        "complaints/2026: 0 mails, 0 unread",
        "heard by polling",
    )


async def test_check_names_the_nearest_label(google: Google, connect: Connect) -> None:
    with pytest.raises(ConfigError, match='did you mean "Complaints/2026"'):
        await connect(labels=["Complaint/2026"]).check()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labels": ["INBOX", "inbox"]}, "twice"),
        ({"mailbox": "me"}, "mailbox"),
        ({"topic": TOPIC}, "go together"),
        ({"push_token": PUSH_TOKEN}, "go together"),
        ({"topic": "allears", "push_token": PUSH_TOKEN}, "topic"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make_settings(**settings)


def test_as_little_permission_as_needed() -> None:
    assert make_settings().scopes == ("https://www.googleapis.com/auth/gmail.modify",)
    assert make_settings(after="nothing").scopes == ("https://www.googleapis.com/auth/gmail.readonly",)


async def test_streams_are_named_by_what_their_cursors_depend_on(context: Context) -> None:
    names = await GmailConnector(make_settings(labels=["INBOX", "投诉"]), context).streams()
    assert names == (f"gmail://{ACCOUNT}/INBOX", f"gmail://{ACCOUNT}/投诉")


async def test_a_label_that_is_gone_is_named(google: Google, connect: Connect, journal: MiniJournal) -> None:
    connector = connect(labels=["投诉"])
    await hear(connector, journal)
    del google.names["Label_12"]
    google.fail(HISTORY, error(400, "invalidArgument", "labelId not found"))
    with pytest.raises(ConfigError, match="no label"):
        await hear(connector, journal)


async def test_cursors_hold_no_more_than_they_must(google: Google, connect: Connect, journal: MiniJournal) -> None:
    google.put(make_mail(text_of(1)))
    connector = connect()
    await hear(connector, journal)
    await hear(connector, journal)
    [cursor] = journal.cursors.values()
    assert cursor.keys() == {"version", "position", "since"}
    assert json.loads(json.dumps(cursor)) == cursor
