"""The whole daemon, killed while mail flows in: what heard 250 is filed, and nothing is filed twice."""

from __future__ import annotations

import random
import signal
import smtplib
import threading
import time

from tests.connectors.smtp.post import OURS, free_port
from tests.daemon.house import House

SENDERS = 4


class Sender(threading.Thread):
    """As a mail server does: keeps each mail until it hears 250, over as many connections as that takes. Sends until
    it is told to end."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(daemon=True)
        self.title = name
        self.port = port
        self.repeated = 0
        self.sent: list[str] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            title = f"{self.title}-{len(self.sent)}"
            content = (
                f"From: {title}@example.net\r\nMessage-ID: <{title}@example.net>\r\nSubject: {title}\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n\r\n"
                f"{title}：屏幕碎了，要求退款。\r\n"
            ).encode()
            while not self.deliver(title, content):
                self.repeated += 1
                time.sleep(0.05)
            self.sent.append(title)
            time.sleep(0.02)

    def deliver(self, title: str, content: bytes) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, local_hostname="c.example.net", timeout=10) as client:
                client.sendmail(f"{title}@example.net", [OURS], content)
        except (OSError, smtplib.SMTPException):
            return False
        return True


def test_nothing_lost_nothing_doubled_through_kills(house: House) -> None:
    port = free_port()
    house.configure(f'[channels.mx]\nconnector = "smtp"\nport = {port}\nrecipients = ["example.com"]\n', level="info")
    house.start()
    senders = [Sender(f"s{number}", port) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    chance = random.Random(4711)
    for _ in range(3):
        time.sleep(chance.uniform(0.1, 0.5))
        house.signal(signal.SIGKILL)
        house.wait()
        house.start()
    for sender in senders:
        sender.is_over.set()
        sender.join(30)
        assert not sender.is_alive()
    sent = [title for sender in senders for title in sender.sent]
    house.until_filed(len(sent))
    assert house.stop() == 0
    lines = (house.folder / "filed.jsonl").read_text("utf-8").splitlines()
    for title in sent:
        assert sum(f"{title}：屏幕碎了" in line for line in lines) == 1, f"{title} heard 250"
    assert len(lines) == len(sent)
    assert sum(sender.repeated for sender in senders) > 0, "no kill met a mail on its way"
