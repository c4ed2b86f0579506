"""Mail in, complaint filed, one answer out: through the daemon, over SMTP both ways."""

from __future__ import annotations

import signal
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.reference import find_references
from tests.connectors.answers.postbox import Postbox
from tests.connectors.smtp.post import OURS, free_port
from tests.daemon.house import House

CHANNEL = """
[channels.mx]
connector = "smtp"
port = {port}
recipients = ["example.com"]
[channels.mx.acknowledge]
max_per_address_per_day = 3
[channels.mx.smtp]
host = "127.0.0.1"
port = {outside}
tls = "none"
sender = "complaints@example.com"
sender_name = "示例客服"
"""
ZH, EN = "收到的杯子碎了，要求退款。", "The cup arrived broken, I want a refund."


class Correspondence:
    """A daemon that hears by SMTP and answers by SMTP."""

    def __init__(self, house: House, postbox: Postbox) -> None:
        self.house = house
        self.postbox = postbox
        self.port = free_port()
        house.configure(CHANNEL.format(port=self.port, outside=postbox.start()))
        house.start()
        time.sleep(1.1)  # what was said before the journal was born may have been answered; Date has whole seconds

    def send(self, key: str, text: str, *, who: str = "王芳 <wangfang@mail.example.cn>", **headers: str) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = who, OURS, headers.pop("subject", "杯子碎了")
        message["Message-ID"] = f"<{key}@mail.example.cn>"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        self.relay(message.as_bytes())

    def relay(self, content: bytes, sender: str = "relay@mail.example.cn") -> None:
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="c.example.net", timeout=10) as client:
            client.sendmail(sender, [OURS], content)

    def until_answered(self, count: int) -> list[EmailMessage]:
        self.house.until(lambda: len(self.postbox.envelopes) >= count, f"{count} answers")
        return self.postbox.mails

    def until_states(self, *states: str) -> list[dict[str, Any]]:
        """Of all answers, in the order they were filed."""

        def rows() -> list[dict[str, Any]]:
            return sorted(
                self.house.api("/api/deliveries?destination=reply:mx")["deliveries"], key=lambda row: row["id"]
            )

        self.house.until(lambda: tuple(row["state"] for row in rows()) == states, f"answers are {states}")
        return rows()

    def read_by(self, channel: str) -> None:
        """Until everything that came is read."""
        self.house.until(lambda: self._waiting(channel) == 0, "all is read")

    def _waiting(self, channel: str) -> int:
        rows = self.house.api("/api/channels")["channels"]
        return next(int(row["waiting"]) for row in rows if row["name"] == channel)


@pytest.fixture
def mx(tmp_path: Path) -> Iterator[Correspondence]:
    house, postbox = House(tmp_path), Postbox()
    try:
        yield Correspondence(house, postbox)
    finally:
        house.clear()
        postbox.stop()


def test_each_complaint_one_answer(mx: Correspondence) -> None:
    mx.send("zh", ZH)
    mx.send("en", EN, who="Amy <amy@example.org>", subject="Broken cup")
    by_whom = {mail["To"]: mail for mail in mx.until_answered(2)}
    filed = {line["complaint"]["contact"]["email"]: line["complaint"]["id"] for line in mx.house.until_filed(2)}
    chinese, english = by_whom["wangfang@mail.example.cn"], by_whom["amy@example.org"]
    assert filed["wangfang@mail.example.cn"] in chinese["Subject"]
    assert filed["wangfang@mail.example.cn"] in chinese.get_content()
    assert "我们已收到" in chinese.get_content()
    assert "We have received" in english.get_content()
    assert english["Subject"] == f"Re: [{filed['amy@example.org']}] Broken cup"
    assert (chinese["In-Reply-To"], chinese["From"]) == ("<zh@mail.example.cn>", "示例客服 <complaints@example.com>")

    # A follow-up, an answer to the answer (by its id alone, and by the number alone), machines, and our own mail
    mx.send("zh-2", "还没有收到退款。", subject="Re: 杯子碎了", In_Reply_To="<zh@mail.example.cn>")
    mx.send("zh-3", "照片见附件。", subject="Re: x", In_Reply_To=str(chinese["Message-ID"]))
    mx.send("zh-4", "地址是北京。", subject=f"Re: {chinese['Subject']}")
    mx.send("auto", "I am out of office.", who="Bob <bob@example.org>", Auto_Submitted="auto-replied")
    own = chinese.as_bytes()
    with pytest.raises(smtplib.SMTPDataError, match="loop"):
        mx.relay(own, sender="loop@example.com")
    partial = mx.house.folder / "desk" / ".own.part"
    partial.write_bytes(own)
    partial.rename(partial.with_name("own.eml"))
    filed_lines = mx.house.until_filed(5)
    mx.house.until(lambda: not list((mx.house.folder / "desk").glob("*.eml")), "our own mail was taken")
    mx.read_by("mx")
    mx.read_by("desk")
    ids = [line["complaint"]["id"] for line in filed_lines]
    assert ids.count(filed["wangfang@mail.example.cn"]) == 4, "answers to the answer go on with the complaint"
    assert mx.house.stop() == 0
    assert len(mx.house.filed()) == 5, "machines and our own mail make no complaint"
    assert len(mx.postbox.envelopes) == 2
    assert not [word for word in ("wangfang", "王芳", ZH, "amy@example.org") if word in mx.house.log]


def test_killed_after_the_last_dot_it_is_never_sent_again(mx: Correspondence) -> None:

    def kill() -> None:
        mx.house.until_filed(1)
        mx.house.signal(signal.SIGKILL)

    mx.postbox.on_data = kill
    mx.send("1", ZH)
    mx.house.wait()
    assert len(mx.postbox.envelopes) == 1
    mx.postbox.on_data = None
    mx.house.start()
    (row,) = mx.until_states("discarded")
    assert "may have been sent" in row["reason"]
    mx.send("2", EN, who="Amy <amy@example.org>")
    mx.until_answered(2)
    mx.house.until_filed(2)
    assert mx.house.stop() == 0
    assert [mail["To"] for mail in mx.postbox.mails] == ["wangfang@mail.example.cn", "amy@example.org"]


def test_refused_for_good_is_shown_and_ends(mx: Correspondence) -> None:
    mx.postbox.refusals["RCPT"] = ["550 5.1.1 no such user"]
    mx.send("1", ZH)
    (row,) = mx.until_states("discarded")
    assert "550 5.1.1" in row["reason"]
    assert mx.house.api("/api/letters")["letters"] == []
    mx.send("2", EN, who="Amy <amy@example.org>")
    mx.until_states("discarded", "sent")


def test_a_server_that_is_away_shows(mx: Correspondence) -> None:
    mx.postbox.refusals["MAIL"] = ["421 4.3.2 shutting down"]
    mx.send("1", ZH)
    mx.house.until(lambda: "destination_down" in mx.house.log, "it is down")
    status = mx.house.command("status", "--json")
    assert '"reply:mx"' in status.stdout


def test_two_answering_machines_end(mx: Correspondence) -> None:
    """The other one ignores every header: it answers each of our mails with a new one."""
    mx.send("robot-0", ZH, who="robot@example.net", subject="Ihre Nachricht 0")
    for number in range(1, 6):
        if number <= 3:
            mx.until_answered(number)
        mx.send(f"robot-{number}", ZH, who="robot@example.net", subject=f"Ihre Nachricht {number}")
    rows = mx.until_states("sent", "sent", "sent", "discarded", "discarded", "discarded")
    assert "max_per_address_per_day" in rows[-1]["reason"]
    assert len(mx.postbox.envelopes) == 3
    assert find_references(str(mx.postbox.mails[0]["Message-ID"]))
