"""What workers make of raws: nothing one raw does touches another."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from allears.workers.tasks import DeriveJob, Failed, Read, ReadJob, derive_records, opened, read_raws
from allears_sdk.message import MESSAGE_JSON, RFC822, Message, Raw, Visibility
from allears_sdk.settings import ChannelSettings
from normalizer.conversation import Conversation, Draft, Facts, Heard
from tests.workers.poison import POISON

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
FACTS = Facts(channel="shop", connector="poison")
SETTINGS = ChannelSettings(connector="poison")


def job(
    body: str | bytes, media_type: str = POISON, *, key: str = "k-1", alone: bool = True, file: str = ""
) -> ReadJob:
    content = body.encode() if isinstance(body, str) else body
    raw = Raw(key=key, body=content, media_type=media_type, received_at=AT)
    settings = SETTINGS if media_type == POISON else None
    return ReadJob(raw_id=1, raw=raw, body_file=file, facts=FACTS, stands_alone=alone, public=False, settings=settings)


def mail(text: str = "收到的杯子是碎的，请退款", attachment: bytes = b"") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "李雷 <lilei@example.com>", "kefu@example.com", "杯子碎了"
    message["Message-ID"] = "<1@example.com>"
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    if attachment:
        message.add_attachment(attachment, maintype="image", subtype="jpeg", filename="碎.jpg")
    return message.as_bytes()


def read_all(*jobs: ReadJob) -> list[Read | Failed]:
    return opened(read_raws(jobs), Read)


def read(one: ReadJob) -> Read:
    (result,) = read_all(one)
    assert isinstance(result, Read), result
    return result


@pytest.mark.usefixtures("poison")
def test_each_raw_of_a_chunk_for_itself() -> None:
    bodies = ["杯子碎了，退款", "bad", "bug", "broken cup, refund please"]
    good, bad, bug, last = read_all(*map(job, bodies))
    assert bad == Failed(reason="字段缺失: no field `text`", is_bad=True)
    assert bug == Failed(reason="ZeroDivisionError: 一个 bug", is_bad=False)
    assert [result.messages[0].text for result in (good, last) if isinstance(result, Read)] == [bodies[0], bodies[3]]


def test_a_format_nobody_reads_is_a_bad_message() -> None:
    assert read_all(job("{", MESSAGE_JSON), job("x", "application/x-unknown")) == [
        Failed(reason=reason, is_bad=True)
        for reason in (_reason(job("{", MESSAGE_JSON)), "no reader for 'application/x-unknown'")
    ]


def _reason(one: ReadJob) -> str:
    (result,) = read_all(one)
    assert isinstance(result, Failed)
    return result.reason


def test_a_kind_that_is_no_longer_installed_is_a_failure_of_its_raw() -> None:
    (result,) = read_all(job("x"))
    assert isinstance(result, Failed)
    assert "poison" in result.reason


def test_a_large_body_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "9f" / "9f02"
    path.parent.mkdir()
    path.write_bytes(mail(attachment=b"x" * 200_000))
    (message,) = read(job(b"", RFC822, file=str(path))).messages
    assert message.text.strip() == "收到的杯子是碎的，请退款"
    assert [(one.name, one.size) for one in message.attachments] == [("碎.jpg", 200_000)]


def test_a_body_file_that_is_missing_is_a_failure_of_its_raw(tmp_path: Path) -> None:
    gone, here = read_all(job(b"", RFC822, file=str(tmp_path / "gone")), job(mail(), RFC822))
    assert isinstance(gone, Failed)
    assert not gone.is_bad, "the disk may be back in a minute"
    assert isinstance(here, Read)


def test_what_the_raw_keeps_is_not_carried_back() -> None:
    (message,) = read(job(mail(attachment=b"jpeg"), RFC822)).messages
    assert message.html == ""
    assert [one.content for one in message.attachments] == [None]


def test_one_message_that_stands_alone_comes_with_its_record() -> None:
    draft = read(job(mail(), RFC822)).draft
    assert isinstance(draft, Draft)
    assert draft.files
    assert (draft.record.channel, draft.record.expectation) == ("shop", ("refund",))
    assert read(job(mail(), RFC822, alone=False)).draft is None


@pytest.mark.usefixtures("poison")
def test_several_messages_of_one_raw_have_no_record_yet() -> None:
    result = read(job("two"))
    assert [message.text for message in result.messages] == ["two 一", "two 二"]
    assert result.draft is None


def test_a_record_derived_alone_is_the_one_derived_from_its_conversation() -> None:
    """Filing at once and filing later must agree."""
    alone = read(job(b'{"text": "\xe6\x9d\xaf\xe5\xad\x90\xe7\xa2\x8e\xe4\xba\x86"}', MESSAGE_JSON))
    assert alone.draft is not None
    heard = Heard(message=Message(text="杯子碎了", external_id="k-1", revision="1"), received_at=AT)
    conversation = Conversation(reference="", opened_at=AT, messages=(heard,))
    derived = derive_records([DeriveJob(conversation=conversation, facts=FACTS, public=False)])
    assert opened(derived, Draft) == [alone.draft]


@pytest.mark.parametrize(("seen", "files"), [(["public"], False), (["public", "private"], True), (["private"], True)])
def test_in_a_channel_that_has_both_what_is_said_in_public_is_filed_only_as_a_complaint(
    seen: list[str], files: bool
) -> None:
    """A question under a Page's post is not filed, the same one in a message to the Page is."""
    said = [
        Heard(
            message=Message(text="请问几点开门？", external_id=f"k-{at}", revision="1", visibility=Visibility(one)),
            received_at=AT,
        )
        for at, one in enumerate(seen)
    ]
    conversation = Conversation(reference="", opened_at=AT, messages=tuple(said))
    (draft,) = opened(derive_records([DeriveJob(conversation=conversation, facts=FACTS, public=False)]), Draft)
    assert isinstance(draft, Draft)
    assert draft.files is files


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("odd", ["surrogate", "nan"])
def test_what_no_journal_could_keep_is_a_failure_of_its_raw(odd: str) -> None:
    failed, good = read_all(job(odd), job("杯子碎了"))
    assert isinstance(failed, Failed)
    assert isinstance(good, Read)


def test_times_come_back_with_the_zone_they_were_given_in() -> None:
    dated = mail().replace(b"Message-ID:", b"Date: Fri, 20 Nov 2026 16:00:00 +0800\nMessage-ID:")
    (message,) = read(job(dated, RFC822)).messages
    assert message.posted_at is not None
    assert message.posted_at.isoformat() == "2026-11-20T16:00:00+08:00"
