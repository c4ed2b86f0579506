"""Whatever a POP3 server says: our own errors, or bytes that are the mail's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allears_sdk.errors import AllearsError
from allears_sdk.mail.wire import Broken
from connectors.pop3 import Pop3Settings
from connectors.pop3.client import Client, Garbled, Negative
from connectors.pop3.mail import arrived_at, written_at
from connectors.pop3.session import Session


class Played:
    """A wire on which everything has been said already."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def read_line(self, max_bytes: int) -> bytes:
        end = self._said.find(b"\n", 0, max_bytes) + 1 or min(max_bytes, len(self._said))
        line, self._said = self._said[:end], self._said[end:]
        return line


def client_on(said: bytes) -> Client:
    wire: Any = Played(said)
    return Client(wire)


LINES = st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b".", b"..", b".x", b""])), max_size=12)


@given(lines=LINES)
def test_a_mail_comes_back_as_it_went(lines: list[bytes]) -> None:
    body = b"".join(line.replace(b"\n", b"") + b"\r\n" for line in lines)
    stuffed = re.sub(rb"(?m)^\.", b"..", body)
    assert client_on(b"+OK\r\n" + stuffed + b".\r\n").text("RETR 1", len(body)) == body


@given(lines=LINES, room=st.integers(0, 60))
def test_no_more_is_taken_than_there_is_room_for(lines: list[bytes], room: int) -> None:
    body = b"".join(line.replace(b"\n", b"") + b"\r\n" for line in lines)
    try:
        taken = client_on(b"+OK\r\n" + re.sub(rb"(?m)^\.", b"..", body) + b".\r\n").text("RETR 1", room)
    except Garbled:
        assert len(body) > room
    else:
        assert taken == body
        assert len(taken) <= room


@given(said=st.binary(max_size=200))
def test_any_bytes_are_told_apart(said: bytes) -> None:
    asked: list[Callable[[Client], object]] = [
        lambda client: client.text("RETR 1", 100),
        Client.capabilities,
        lambda client: client.command("STAT"),
    ]
    for ask in asked:
        try:
            ask(client_on(said))
        except (Negative, Garbled):
            continue


@given(said=st.binary(max_size=120), method=st.sampled_from(["stat", "sizes", "uids"]))
def test_listings_of_nonsense_are_our_own_errors(said: bytes, method: str) -> None:
    settings = {"host": "127.0.0.1", "tls": "none", "username": "a", "password": "b"}
    session = Session(Pop3Settings.model_validate(settings))
    session.client = client_on(b"+OK " + said + b"\r\n.\r\n")
    try:
        session.run(getattr(Session, method))
    except AllearsError:
        return


@given(header=st.binary(max_size=200))
def test_any_header_has_a_date_or_none(header: bytes) -> None:
    for text in (header, b"Received: a; " + header, b"Date: " + header):
        for at in (arrived_at(text), written_at(text)):
            assert at is None or at.tzinfo is not None


def test_a_session_that_was_never_opened_is_broken() -> None:
    settings = {"host": "127.0.0.1", "tls": "none", "username": "a", "password": "b"}
    session = Session(Pop3Settings.model_validate(settings))
    session.kill()
    with pytest.raises(Broken):
        session.run(Session.stat)
