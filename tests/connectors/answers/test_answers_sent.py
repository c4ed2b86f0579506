"""What a mail server says to an answer, and what becomes of it: never twice, and sent again what surely was not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Address
from allears_sdk.errors import (
    AllearsError,
    AuthError,
    ConfigError,
    InDoubt,
    Rejected,
    RetryLater,
    Unavailable,
    Void,
)
from allears_sdk.mail.sender import Sender
from allears_sdk.mail.submission import SubmissionSettings, outgoing
from allears_sdk.message import Author
from allears_sdk.testing import make_context
from bench.servers.certificate import make_certificate
from tests.connectors.answers.postbox import Postbox
from tests.connectors.smtp.post import free_port

REFERENCE = "ALE-NC64-HZZW-WCJS"
TEXT = "王芳，您好：\n\n我们已收到您的反馈，编号：ALE-NC64-HZZW-WCJS\n"


def address(email: str = "wangfang@mail.example.cn", **facts: Any) -> Address:
    given: dict[str, Any] = {
        "to": Author(id=email, email=email, name="王芳"),
        "message": "20260301.7@mail.example.cn#3f2a",
        "known_as": ("20260301.7@mail.example.cn",),
        "said_at": datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
        "at": datetime(2026, 3, 1, 8, 31, tzinfo=UTC),
        "reference": REFERENCE,
        "subject": f"Re: [{REFERENCE}] 收到的杯子碎了，要求退款",
        "language": "zh",
    }
    return Address(**{**given, **facts})


def sender(folder: Path, port: int, *, login: tuple[str, str] = ("", ""), **settings: Any) -> Sender:
    """`login` is the mailbox's own."""
    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "kefu@example.com"}
    submission = SubmissionSettings.model_validate({**given, **settings})
    return Sender(outgoing(submission, username=login[0], password=login[1]), make_context("mail", folder))


async def fault_of(folder: Path, port: int, **settings: Any) -> AllearsError:
    with pytest.raises(AllearsError) as caught:
        await sender(folder, port, **settings).send(address(), TEXT)
    return caught.value


async def test_an_answer_arrives(postbox: Postbox, tmp_path: Path) -> None:
    await sender(tmp_path, postbox.start(), sender_name="示例客服").send(address(), TEXT)
    (envelope,), (mail,) = postbox.envelopes, postbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("<>", ["wangfang@mail.example.cn"]), "nobody hears of bounces"
    assert mail.get_content().splitlines() == TEXT.splitlines()
    assert mail["From"] == "示例客服 <kefu@example.com>"
    assert mail["Subject"] == "Re: [ALE-NC64-HZZW-WCJS] 收到的杯子碎了，要求退款"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Precedence"] is None


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
async def test_not_now_is_tried_again(postbox: Postbox, tmp_path: Path, step: str) -> None:
    postbox.refusals[step] = ["451 4.7.1 greylisted, try again in 60 seconds"]
    port = postbox.start()
    fault = await fault_of(tmp_path, port)
    assert isinstance(fault, RetryLater)
    assert fault.after_seconds
    await sender(tmp_path, port).send(address(), TEXT)
    assert len(postbox.mails) == 1


@pytest.mark.parametrize(
    ("step", "kind"), [("MAIL", ConfigError), ("RCPT", Rejected), ("DATA", Rejected)], ids=["MAIL", "RCPT", "DATA"]
)
async def test_a_refusal_for_good(postbox: Postbox, tmp_path: Path, step: str, kind: type[AllearsError]) -> None:
    postbox.refusals[step] = ["550 5.1.1 no such user"] * 2
    fault = await fault_of(tmp_path, postbox.start())
    assert type(fault) is kind
    assert "5.1.1" in f"{fault} {fault.detail}"
    assert not postbox.mails


async def test_a_sender_that_is_not_ours_is_the_admins_business(postbox: Postbox, tmp_path: Path) -> None:
    postbox.refusals["MAIL"] = ["553 Mail from must equal authorized user"]
    fault = await fault_of(tmp_path, postbox.start(), bounces="sender")
    assert isinstance(fault, ConfigError)
    assert "smtp.sender" in str(fault)


async def test_where_the_empty_envelope_is_refused_the_sender_stands_in_it(postbox: Postbox, tmp_path: Path) -> None:
    postbox.takes_null = False
    await sender(tmp_path, postbox.start()).send(address(), TEXT)
    (envelope,), (mail,) = postbox.envelopes, postbox.mails
    assert envelope.mail_from == "kefu@example.com"
    assert mail["Precedence"] == "bulk", "who could answer is told not to"


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
async def test_lost_before_the_last_dot_was_surely_not_sent(postbox: Postbox, tmp_path: Path, step: str) -> None:
    postbox.hangs_up_at = step
    assert type(await fault_of(tmp_path, postbox.start())) is Unavailable


async def test_lost_after_the_last_dot_is_doubt(postbox: Postbox, tmp_path: Path) -> None:
    postbox.hangs_up_at = "DATA"
    assert type(await fault_of(tmp_path, postbox.start())) is InDoubt
    assert len(postbox.mails) == 1


async def test_nobody_there(tmp_path: Path) -> None:
    fault = await fault_of(tmp_path, free_port())
    assert type(fault) is Unavailable
    assert "port" in str(fault)


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"421 too many connections\r\n", RetryLater),
        (b"554 no mail from you\r\n", Unavailable),
        (b"", Unavailable),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Unavailable),
        (b"220-" + b"x" * 10_000 + b"\r\n", Unavailable),
        (b"220-again\r\n" * 1000, Unavailable),
        (b"\xff\xfe\x00\r\n", Unavailable),
    ],
)
async def test_whatever_the_server_says_first(tmp_path: Path, greeting: bytes, kind: type[AllearsError]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        fault = await fault_of(tmp_path, port := listener.getsockname()[1], timeout_seconds=2)
        thread.join()
    assert type(fault) is kind
    assert f"127.0.0.1:{port}" in str(fault), "which of the two servers it is"


async def test_who_stops_waiting_ends_the_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(100))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sender(tmp_path, listener.getsockname()[1]).send(address(), TEXT)
        thread.join(2)
    assert heard == [b""], "the other side sees it at once"


async def test_silence_after_the_last_dot_is_doubt_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allears_sdk.mail.submit.LAST_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb", buffering=0) as file:
                file.write(b"220 here\r\n")
                for answer in (b"250 here\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"):
                    file.readline()
                    file.write(answer)
                while file.readline():
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        fault = await fault_of(tmp_path, listener.getsockname()[1])
        thread.join()
    assert type(fault) is InDoubt


@pytest.mark.parametrize("other", ["PLAIN", "LOGIN"])
async def test_the_mailboxes_login_is_used_where_one_is_asked_for(postbox: Postbox, tmp_path: Path, other: str) -> None:
    postbox.accounts = {"kefu@example.com": "code-7f3a9c"}
    port = postbox.start(auth_exclude_mechanism=[other])
    await sender(tmp_path, port, login=("kefu@example.com", "code-7f3a9c")).send(address(), TEXT)
    assert postbox.logins == [("kefu@example.com", "code-7f3a9c")]
    assert len(postbox.mails) == 1
    fault = await fault_of(tmp_path, port, login=("kefu@example.com", "wrong"))
    assert type(fault) is AuthError
    assert "wrong" not in f"{fault} {fault.detail}"
    assert type(await fault_of(tmp_path, port)) is AuthError, "none where one is wanted"


async def test_a_login_of_its_own(postbox: Postbox, tmp_path: Path) -> None:
    postbox.accounts = {"relay": "s3cr3t"}
    own = sender(tmp_path, postbox.start(), login=("kefu", "other"), username="relay", password="s3cr3t")
    assert await own.check() == (f"answers as kefu@example.com through 127.0.0.1:{own._settings.endpoint.port}",)  # type: ignore[union-attr]  # it has settings
    assert postbox.logins == [("relay", "s3cr3t")]
    assert not postbox.tried, "a check sends nothing"
    assert "s3cr3t" not in repr(own._settings)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_encrypted(postbox: Postbox, tmp_path: Path, tls: str) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    postbox.accounts = {"kefu@example.com": "code"}
    if tls == "implicit":
        postbox.tls = context
        port = postbox.start()
    else:
        port = postbox.start(tls_context=context, require_starttls=True)
    login = ("kefu@example.com", "code")
    await sender(tmp_path, port, login=login, tls=tls, ca_file=certificate).send(address(), TEXT)
    assert len(postbox.mails) == 1
    fault = await fault_of(tmp_path, port, login=login, tls=tls)
    assert type(fault) is Unavailable
    assert "ca_file" in str(fault)


async def test_no_starttls_no_password(postbox: Postbox, tmp_path: Path) -> None:
    postbox.accounts = {"kefu@example.com": "code"}
    fault = await fault_of(tmp_path, postbox.start(), login=("kefu@example.com", "code"), tls="starttls")
    assert type(fault) is ConfigError
    assert postbox.logins == []


class Tokens:
    """Gives one token after the other, as each is found stale."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def access_token(self, *, stale: str = "") -> str:
        if stale and self.tokens[0] == stale:
            self.tokens.pop(0)
        return self.tokens[0]


def sender_by_token(folder: Path, port: int, *tokens: str) -> Sender:
    submission = SubmissionSettings(host="127.0.0.1", port=port, tls="none")
    oauth: Any = Tokens(*tokens)
    return Sender(outgoing(submission, username="kefu@example.com"), make_context("mail", folder), oauth)


async def test_by_access_token_and_once_more_with_a_new_one(postbox: Postbox, tmp_path: Path) -> None:
    postbox.good_tokens = {"ya29.second"}
    await sender_by_token(tmp_path, postbox.start(), "ya29.first", "ya29.second").send(address(), TEXT)
    assert postbox.logins == [("kefu@example.com", "ya29.first"), ("kefu@example.com", "ya29.second")]
    assert len(postbox.mails) == 1


async def test_two_refused_tokens_are_the_admins_business(postbox: Postbox, tmp_path: Path) -> None:
    postbox.good_tokens = {"ya29.third"}
    with pytest.raises(AuthError) as caught:
        await sender_by_token(tmp_path, postbox.start(), "ya29.first", "ya29.second").send(address(), TEXT)
    assert "ya29" not in f"{caught.value} {caught.value.detail}"


async def test_no_login_where_none_is_offered(postbox: Postbox, tmp_path: Path) -> None:
    port = postbox.start()
    await sender(tmp_path, port, login=("kefu@example.com", "code-7f3a9c")).send(address(), TEXT)
    assert len(postbox.mails) == 1
    fault = await fault_of(tmp_path, port, username="relay", password="s3cr3t")
    assert type(fault) is ConfigError, "but a login that was set for it must be taken"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "no-address",
        "kefu@example.com",
        "KEFU@example.com",
        "a@b.cn>\r\nRCPT TO:<victim@example.org",
        "two words@example.cn",
        "a..b@example.cn",
        "用户@example.cn",
        "a@" + "x" * 300 + ".cn",
        '"quoted"@example.cn',
        "<a@example.cn>",
    ],
)
async def test_nobody_to_answer(postbox: Postbox, tmp_path: Path, email: str) -> None:
    with pytest.raises(Void):
        await sender(tmp_path, postbox.start()).send(address(email), TEXT)
    assert not postbox.tried


async def test_a_chinese_domain_is_reached_by_its_ascii_name(postbox: Postbox, tmp_path: Path) -> None:
    await sender(tmp_path, postbox.start()).send(address("wang@例子.中国"), TEXT)
    assert postbox.envelopes[0].rcpt_tos == ["wang@xn--fsqu00a.xn--fiqs8s"]


async def test_lines_that_begin_with_a_dot_arrive(postbox: Postbox, tmp_path: Path) -> None:
    text = ".\n..\n.hidden\nThe end.\n."
    await sender(tmp_path, postbox.start()).send(address(language="en"), text)
    assert postbox.mails[0].get_content().splitlines() == text.splitlines()
