"""Mails to people: the contract suite on a real SMTP server, and what is mail's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from allears_sdk.complaint import Event
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.mail.composition import ascii_address
from allears_sdk.masking import mask_payload
from allears_sdk.reference import OWN_MAIL_HEADER, event_key, is_own_mail_id, ticket_key
from allears_sdk.sink import Progress, Ticket
from allears_sdk.testing import make_context
from allears_sdk.testing.components import absent
from allears_sdk.testing.memory import Fault
from allears_sdk.testing.records import make_event
from allears_sdk.testing.sinks import SinkContract, Stored
from normalizer.readers.rfc822 import read_mail
from sink.email_notice import EmailNoticeSettings, EmailNoticeSink
from tests.connectors.answers.postbox import Postbox
from tests.connectors.smtp.post import free_port

Make = Callable[..., EmailNoticeSink]
KEY = ticket_key(make_event().complaint_id, "destination")
SENDER = "allears@example.com"


def settings(port: int, **more: Any) -> EmailNoticeSettings:
    smtp = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": SENDER, **more.pop("smtp", {})}
    return EmailNoticeSettings.model_validate({"to": ["care@example.com"], "smtp": smtp, **more})


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


class TestEmailNotice(SinkContract):
    @pytest.fixture(autouse=True)
    def postbox(self) -> Iterator[None]:
        self.box = Postbox(accounts={"allears": "smtp-pass-7f3a9c"})
        self.port = self.box.start()
        yield
        self.box.stop()

    def make_sink(self, context: Context) -> EmailNoticeSink:
        return EmailNoticeSink(
            settings(self.port, smtp={"username": "allears", "password": "smtp-pass-7f3a9c"}), context
        )

    async def stored(self) -> list[Stored]:
        return [
            Stored(str(mail["Message-ID"]).removeprefix("<notice.").partition("@")[0], text_of(mail))
            for mail in self.box.mails
        ]

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.LOSE_ANSWER:
            self.box.hangs_up_at = "DATA"
        elif fault is Fault.UNREACHABLE:
            self.box.stop()
        elif fault is Fault.EXPIRED:
            self.box.accounts = {}
        elif fault in (Fault.REJECT, Fault.GARBAGE):
            self.box.refusals["DATA"] = ["554 5.7.1 spam" if fault is Fault.REJECT else "<html>"]
        else:
            absent(f'fault "{fault}"')


@pytest.fixture
def box() -> Iterator[Postbox]:
    box = Postbox()
    yield box
    box.stop()


@pytest.fixture
async def make(box: Postbox, tmp_path: Path) -> AsyncIterator[Make]:
    port = box.start()
    context = make_context("destination", tmp_path)
    yield lambda **more: EmailNoticeSink(settings(port, **more), context)
    await context.remote.aclose()


async def forget(note: object) -> None:
    """A progress note that nobody needs."""


PROGRESS = Progress(note={}, save=forget)


async def open_it(sink: EmailNoticeSink, event: Event | None = None) -> Ticket:
    payload = mask_payload(sink.render(event or make_event(), KEY), sink.settings.mask)
    return await sink.open(payload, KEY, PROGRESS)


async def follow_up(sink: EmailNoticeSink, ticket: Ticket, event: Event) -> None:
    key = event_key(KEY, event.id)
    await sink.follow_up(ticket, sink.render(event, key), key, PROGRESS)


async def test_a_mail_says_what_it_is_and_shows_no_contact_data(make: Make, box: Postbox) -> None:
    sink = make(to=["care@example.com", "boss@example.com"], reply_to="desk@example.com")
    ticket = await open_it(sink)
    (mail,) = box.mails
    (envelope,) = box.envelopes
    assert envelope.rcpt_tos == ["care@example.com", "boss@example.com"]
    assert mail["To"] == "care@example.com, boss@example.com"
    assert mail["Reply-To"] == "desk@example.com"
    assert mail["Subject"].startswith(f"[{make_event().complaint_id}] 屏幕碎了😡")
    assert mail["Message-ID"] == f"<{ticket.id}>" == f"<notice.{KEY}@example.com>"
    assert mail["Date"].datetime == make_event().at
    assert "13800138000" not in text_of(mail)
    assert "lilei@" not in text_of(mail)
    assert "l***@mail.example.cn" in text_of(mail)


async def test_it_starts_no_loop(make: Make, box: Postbox) -> None:
    await open_it(make())
    (mail,) = box.mails
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail[OWN_MAIL_HEADER] == make_event().complaint_id
    assert box.envelopes[0].mail_from in ("", "<>")
    assert is_own_mail_id(str(mail["Message-ID"]).strip("<>"))
    content = box.envelopes[0].content
    assert isinstance(content, bytes)
    assert read_mail(content).is_automatic


async def test_follow_ups_are_in_its_thread(make: Make, box: Postbox) -> None:
    sink = make()
    ticket = await open_it(sink)
    await follow_up(sink, ticket, make_event(2))
    first, second = box.mails
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert second["Message-ID"] != first["Message-ID"]
    assert second["Subject"] == f"Re: {first['Subject']}"


async def test_a_mail_that_is_sent_again_is_the_same_to_the_byte(make: Make, box: Postbox) -> None:
    sink = make()
    await open_it(sink)
    await open_it(sink)
    first, second = (envelope.content for envelope in box.envelopes)
    assert first == second


@pytest.mark.parametrize(
    ("step", "answer", "error"),
    [
        ("MAIL", "451 4.3.0 try again", RetryLater),
        ("MAIL", "550 5.7.1 not yours", ConfigError),
        ("MAIL", "530 5.7.0 log in", AuthError),
        ("RCPT", "450 4.2.1 busy", RetryLater),
        ("RCPT", "550 5.1.1 no such user", ConfigError),
        ("DATA", "452 4.3.1 full", RetryLater),
        ("DATA", "554 5.7.1 spam", Rejected),
    ],
)
async def test_what_answers_ask_for(make: Make, box: Postbox, step: str, answer: str, error: type[Exception]) -> None:
    box.takes_null = step != "MAIL"
    box.refusals[step] = [answer]
    with pytest.raises(error) as caught:
        await open_it(make())
    assert type(caught.value) is error
    assert not box.envelopes


async def test_who_is_refused_is_named(make: Make, box: Postbox) -> None:
    box.refusals["RCPT"] = ["", "550 5.1.1 no such user"]
    with pytest.raises(ConfigError, match=r"boss@example\.com"):
        await open_it(make(to=["care@example.com", "boss@example.com"]))


@pytest.mark.parametrize(("step", "error"), [("MAIL", Unavailable), ("RCPT", Unavailable), ("DATA", InDoubt)])
async def test_a_connection_that_breaks(make: Make, box: Postbox, step: str, error: type[Exception]) -> None:
    box.hangs_up_at = step
    with pytest.raises(error):
        await open_it(make())


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await open_it(EmailNoticeSink(settings(free_port()), make_context("destination", tmp_path)))


async def test_check_logs_in_and_sends_nothing(make: Make, box: Postbox) -> None:
    identity = await make().check()
    assert identity.account == SENDER
    assert not box.tried


@pytest.mark.parametrize(
    "bad",
    [
        {"to": []},
        {"to": ["not an address"]},
        {"to": ["a@example.com\r\nBcc: b@example.com"]},
        {"reply_to": "x"},
        {"smtp": {"host": ""}},
        {"smtp": {"sender": ""}},
        {"smtp": {"host": "smtp.example.com"}},
        {"files": {"mode": "upload"}},
        {"when_in_doubt": "guess"},
    ],
)
def test_settings_refuse(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(25, **bad)


async def test_a_subject_cannot_add_headers(make: Make, box: Postbox) -> None:
    await open_it(make(subject="{{ title }}\r\nBcc: everybody@example.com"), make_event(text="x\r\nBcc: y@example.com"))
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert box.envelopes[0].rcpt_tos == [ascii_address("care@example.com")]
