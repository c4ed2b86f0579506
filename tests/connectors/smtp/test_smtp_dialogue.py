"""Who may come in, for whom, and how: recipients, TLS, login, LMTP, sockets, balancers."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from allears.journal.sqlite import open_journal
from allears_sdk.errors import ConfigError, Unavailable
from allears_sdk.testing import FakeClock, make_context
from bench.servers.certificate import make_certificate
from connectors.smtp import SmtpConnector, SmtpSettings
from tests.connectors.smtp.post import OURS, SENDER, Caller, Post, mail
from tests.intake.hall import rest, until


async def test_the_greeting_says_what_we_can(post: Post) -> None:
    await post.open_post(max_mail_bytes=5_000_000)
    caller = await post.knock()
    assert (await caller.hear()).startswith("220 mx.example.com")
    (answer,) = await caller.ask("EHLO c.example.net")
    offered = {line[4:] for line in answer.splitlines()}
    assert offered >= {"mx.example.com", "PIPELINING", "SIZE 5000000", "8BITMIME", "SMTPUTF8"}
    assert not any(line.startswith(("AUTH", "STARTTLS")) for line in offered)


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("complaints@example.com", "250"),
        ("Complaints@Example.COM", "250"),
        ("complaints+ALE-7K3M@example.com", "250"),
        ("anybody@tousu.example.cn", "250"),
        ("谁@投诉.example", "250"),
        ("谁@xn--oru203g.example", "250"),
        ("sales@example.com", "550"),
        ("complaints@example.com.evil.example", "550"),
        ("complaints@evil.example", "550"),
        ("victim%evil.example@relay.example", "550"),
        ("complaints", "550"),
    ],
)
async def test_only_our_recipients_are_taken(post: Post, recipient: str, code: str) -> None:
    await post.open_post(recipients=("complaints@example.com", "tousu.example.cn", "@投诉.example"))
    caller = await post.knock()
    await caller.hear()
    answers = await caller.ask("EHLO c", f"MAIL FROM:<{SENDER}> SMTPUTF8", f"RCPT TO:<{recipient}>")
    assert answers[-1].startswith(code), answers


async def test_a_mail_for_ours_and_others_is_taken_for_ours(post: Post) -> None:
    await post.open_post(recipients=(OURS,))
    await post.send(mail(), [OURS, "sales@example.com"])
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["recipients"] == [OURS]


@pytest.mark.parametrize("sender", ["<>", "<postmaster@例子.中国>", "<a.b+c=d@example.net>", '<"li lei"@example.net>'])
async def test_any_sender_is_taken_bounces_too(post: Post, sender: str) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.address(sender=f"{sender} SMTPUTF8 BODY=8BITMIME SIZE=1000 AUTH=<>")
    caller.say(mail() + b".\r\n")
    assert (await caller.hear()).startswith("250")
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["mail_from"] in (sender, sender[1:-1])
    assert (raw.context["mail_from"] == "<>") == (sender == "<>")


async def test_commands_may_come_all_at_once(post: Post) -> None:
    await post.open_post()
    caller = await post.knock()
    await caller.hear()
    for text in ("一", "二"):
        caller.say(b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<x@else>\r\nDATA\r\n")
        answers = [(await caller.hear())[:3] for _ in range(5)]
        assert answers == ["250", "250", "250", "550", "354"]
        caller.say(mail(text) + b".\r\nNOOP\r\n")
        assert [(await caller.hear())[:3] for _ in range(2)] == ["250", "250"]
    assert await post.bodies() == [mail("一"), mail("二")]


async def test_a_mail_larger_than_announced_is_refused_and_the_next_one_taken(post: Post) -> None:
    await post.open_post(max_mail_bytes=4096)
    caller = await post.knock()
    await caller.hear()
    answers = await caller.ask("EHLO c", "MAIL FROM:<a@b.example> SIZE=4097")
    assert answers[-1].startswith("552")
    for size, code in ((5_000, "552"), (300_000, "552"), (4_096 - 4, "250")):
        answers = await caller.ask("MAIL FROM:<a@b.example>", f"RCPT TO:<{OURS}>", "DATA")
        assert answers[-1].startswith("354")
        caller.say(b"x" * size + b"\r\n\r\n.\r\n")
        assert (await caller.hear()).startswith(code)
    assert [len(body) for body in await post.bodies()] == [4_096]


@pytest.mark.parametrize(
    "header", [b"X-Allears: ALE-7K3M-Q9TX-4RWD\r\n", b"Received: from a by b; Tue, 3 Jun 2026\r\n" * 12]
)
async def test_what_goes_in_circles_is_refused_for_good(post: Post, header: bytes) -> None:
    await post.open_post(max_hops=10)
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await post.send(header + mail())
    assert caught.value.smtp_code == 554
    await post.send(mail() + header, sender="<>")  # quoted in a body it says nothing
    assert await post.counts() == (1, 0)


# TLS and login


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_starttls_and_login_on_both_loops(
    tmp_path: Path, certificate: Path, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def scenario() -> None:
        journal = await open_journal(tmp_path, FakeClock())
        post = Post(journal, tmp_path)
        try:
            await post.open_post(
                certificate_file=certificate, username="relay", password="a secret/密码", require_tls=True
            )
            await asyncio.to_thread(deliver, post)
            ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
            assert (raw.context["tls"], raw.context["login"], raw.body) == (True, "relay", mail("加密" * 50_000))
        finally:
            await post.intake.stop(1)
            await journal.close()

    def deliver(post: Post) -> None:
        with post.smtp() as client:
            assert client.docmd("MAIL", "FROM:<a@b.example>")[0] == 530, "TLS first"
            client.ehlo()
            assert not client.has_extn("auth")
            client.starttls(context=trusting(certificate))
            client.ehlo()
            assert client.docmd("MAIL", "FROM:<a@b.example>")[0] == 530, "then the login"
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("relay", "wrong")
            client.user, client.password = "relay", "a secret/密码"
            both = b64encode("\0relay\0a secret/密码".encode()).decode()
            assert client.docmd("AUTH", f"PLAIN {both}")[0] == 235
            client.sendmail(SENDER, [OURS], mail("加密" * 50_000))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


async def test_login_by_auth_login(post: Post, certificate: Path) -> None:
    await post.open_post(certificate_file=certificate, username="relay", password="pass-4711")

    def deliver() -> None:
        with post.smtp() as client:
            client.starttls(context=trusting(certificate))
            client.ehlo()
            client.user, client.password = "relay", "pass-4711"
            client.auth("LOGIN", client.auth_login, initial_response_ok=False)
            client.sendmail(SENDER, [OURS], mail())

    await asyncio.to_thread(deliver)
    assert await post.counts() == (1, 0)
    assert "pass-4711" not in repr(post.log.entries)


async def test_no_login_without_tls(post: Post, certificate: Path) -> None:
    await post.open_post(certificate_file=certificate, username="relay", password="pass-4711")
    caller = await post.knock()
    await caller.hear()
    plain = b64encode(b"\0relay\0pass-4711").decode()
    greeting, refused, mail_refused = await caller.ask("EHLO c", f"AUTH PLAIN {plain}", "MAIL FROM:<a@b.example>")
    assert "AUTH" not in greeting
    assert refused.startswith("538")
    assert mail_refused.startswith("530")


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(post: Post, certificate: Path) -> None:
    await post.open_post(certificate_file=certificate)
    old = certificate.read_bytes()
    (certificate.parent / "new").mkdir()
    new = make_certificate(certificate.parent / "new")
    states = ((old, old), (new.read_bytes(), new.read_bytes()), (b"rubbish", new.read_bytes()))
    for day, (content, trusted) in enumerate(states):
        certificate.write_bytes(content)
        os.utime(certificate, (day * 86_400, day * 86_400))
        authority = certificate.parent / "authority.pem"
        authority.write_bytes(trusted)

        def greet(authority: Path = authority) -> None:
            with post.smtp() as client:
                client.starttls(context=trusting(authority))
                assert client.ehlo()[0] == 250

        await asyncio.to_thread(greet)
    assert post.said("smtp.certificate_not_renewed")


async def test_what_is_said_before_the_handshake_is_not_heard_behind_it(post: Post, certificate: Path) -> None:
    """CVE-2024-34083: commands slipped in front of the TLS handshake."""
    await post.open_post(certificate_file=certificate)
    caller = await post.knock()
    await caller.hear()
    await caller.ask("EHLO c")
    caller.say(b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<x@example.com>\r\n")
    assert (await caller.hear()).startswith("220")
    await caller.writer.start_tls(trusting(certificate), server_hostname="localhost")
    answers = await caller.ask("EHLO c", "DATA")
    assert answers[-1].startswith("503"), "no recipient of before counts"


@pytest.mark.parametrize("words", [b"", b"no handshake at all, but words\r\n" * 20, b"\x16\x03\x01\xff\xff"])
async def test_a_handshake_that_fails_ends_its_session_alone(post: Post, certificate: Path, words: bytes) -> None:
    await post.open_post(certificate_file=certificate, timeout_seconds=1, max_connections=1)
    caller = await post.knock()
    await caller.hear()
    answers = await caller.ask("EHLO c", "STARTTLS")
    assert answers[-1].startswith("220")
    caller.say(words)
    assert await caller.gone()
    await rest()
    await post.send(mail())
    assert await post.counts() == (1, 0)


# LMTP, Unix sockets


async def test_lmtp_on_a_unix_socket_answers_for_each_recipient(post: Post, tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    await post.open_post(protocol="lmtp", unix_socket=path, unix_socket_mode="600", recipients=())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    caller = Caller(*await asyncio.open_unix_connection(path))
    assert (await caller.hear()).startswith("220")
    answers = await caller.ask("HELO c", "EHLO c", "LHLO c", "MAIL FROM:<>", "RCPT TO:<a@x.example>", "RCPT TO:<bad@>")
    assert [answer[:3] for answer in answers] == ["500", "500", "250", "250", "250", "553"]
    await caller.ask("RCPT TO:<b@x.example>", "DATA")
    caller.say(mail() + b".\r\n")
    assert [(await caller.hear())[:3] for _ in range(2)] == ["250", "250"]
    post.gate.refusals = 1
    await caller.ask("MAIL FROM:<>", "RCPT TO:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    caller.say(mail("另一封") + b".\r\n")
    assert [(await caller.hear())[:3] for _ in range(2)] == ["451", "451"]
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["recipients"] == ["a@x.example", "b@x.example"]
    assert raw.context["client"] == ""
    await caller.hang_up()
    await post.intake.stop(1)
    assert not path.exists()


async def test_smtplibs_own_lmtp_client(post: Post, tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    await post.open_post(protocol="lmtp", unix_socket=path)

    def deliver() -> None:
        with smtplib.LMTP(str(path)) as client:
            refused = client.sendmail(SENDER, [OURS, "x@else.example"], mail())
            assert list(refused) == ["x@else.example"]

    await asyncio.to_thread(deliver)
    assert await post.counts() == (1, 0)


async def test_a_socket_left_behind_is_taken_over_one_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    settings = SmtpSettings(protocol="lmtp", unix_socket=path)
    first, second = (SmtpConnector(settings, make_context("mx", tmp_path)) for _ in range(2))
    for _ in range(2):
        await first._server.open()
        with pytest.raises(Unavailable, match="in use"):
            await second._server.open()
        await rest()
        first._server._server.close()  # type: ignore[union-attr]  # killed: nobody tidies up
        first._server._server = None
        await rest()
    assert path.exists()
    await second._server.open()
    await second.stop()


# Who connects


async def test_all_of_this_machines_addresses(post: Post) -> None:
    await post.open_post(host="*")
    await post.send(mail())
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["client"] == "127.0.0.1"


async def test_strangers_are_turned_away_at_the_door(post: Post) -> None:
    await post.open_post(allow_from=("192.0.2.0/24", "2001:db8::/32"))
    caller = await post.knock()
    assert (await caller.hear()).startswith("554 5.7.1")
    assert await caller.gone()


async def test_too_many_connections_are_asked_to_come_back(post: Post) -> None:
    await post.open_post(max_connections_per_client=2)
    first, second, third = [await post.knock() for _ in range(3)]
    assert [(await caller.hear())[:3] for caller in (first, second, third)] == ["220", "220", "421"]
    assert await third.gone()
    await first.hang_up()
    await rest()
    fourth = await post.knock()
    assert (await fourth.hear()).startswith("220"), "a place is free again"


async def test_behind_a_balancer_the_client_is_the_one_it_names(post: Post) -> None:
    await post.open_post(proxy_from=("127.0.0.0/8",), allow_from=("203.0.113.0/24",), max_connections_per_client=1)
    caller = await post.knock()
    caller.say(b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 25\r\n")
    await caller.address()
    caller.say(mail() + b".\r\n")
    assert (await caller.hear()).startswith("250")
    ((raw,),) = [deposit.raws for deposit in post.gate.deposits]
    assert raw.context["client"] == "203.0.113.9"
    for words in (
        b"PROXY TCP4 198.51.100.1 192.0.2.1 51234 25\r\n",
        b"EHLO evil\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
    ):
        other = await post.knock()
        other.say(words)
        other.writer.write_eof()
        assert await other.gone()
        await other.hang_up()
    assert (await caller.ask("NOOP"))[0].startswith("250")


async def test_only_the_balancer_may_connect(post: Post) -> None:
    await post.open_post(proxy_from=("192.0.2.7/32",))
    caller = await post.knock()
    assert (await caller.hear()).startswith("554")


# Settings and check


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "0.0.0.0"}, "recipients is required"),
        ({"host": "*"}, "recipients is required"),
        ({"protocol": "lmtp", "require_tls": True, "certificate_file": "/c.pem"}, "require_tls is for SMTP"),
        ({"recipients": ("@",)}, "neither an address nor a domain"),
        ({"recipients": ("a b@",)}, "neither an address nor a domain"),
        ({"key_file": "/k.pem"}, "key_file needs"),
        ({"require_tls": True}, "require_tls needs"),
        ({"username": "relay"}, "go together"),
        ({"username": "relay", "password": "secret-1"}, "never travels readable"),
        ({"allow_from": ("10.0.0.1/8",)}, "network"),
    ],
)
def test_settings_that_cannot_work_are_errors(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SmtpSettings(**wrong)


async def test_check_says_what_will_be_taken(post: Post, certificate: Path, tmp_path: Path) -> None:
    settings = SmtpSettings(port=post.port, recipients=("Example.COM",), certificate_file=certificate)
    identity = await SmtpConnector(settings, make_context("mx", tmp_path)).check()
    assert identity.account == f"smtp:127.0.0.1:{post.port}"
    assert identity.details == ("recipients: example.com", "STARTTLS", "free to listen on")
    await post.open_post()
    identity = await SmtpConnector(settings, make_context("mx", tmp_path)).check()
    assert "in use" in identity.details[-1]
    assert (await post.connectors[0].check()).details[-1] == "listening"
    await post.send(mail())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"certificate_file": "nowhere.pem"}, "cannot be read"),
        ({"certificate_file": "rubbish.pem"}, "not PEM"),
        ({"unix_socket": "no/such/folder/sock"}, "cannot listen"),
        ({"host": "no-such-host.invalid", "recipients": ("example.com",)}, "cannot listen"),
    ],
)
async def test_check_names_what_cannot_work(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    (tmp_path / "rubbish.pem").write_text("no certificate")
    paths = {name: tmp_path / value for name, value in settings.items() if isinstance(value, str) and name != "host"}
    with pytest.raises(ConfigError, match=said):
        await SmtpConnector(SmtpSettings(**{**settings, **paths}), make_context("mx", tmp_path)).check()


async def test_a_port_in_use_is_tried_again(post: Post, tmp_path: Path) -> None:
    await post.open_post()
    other = Post(post.journal, tmp_path)
    other.port = post.port
    await other.intake.start()
    assert not await other.intake.apply({"mx": SmtpSettings(port=post.port, recipients=("example.com",))})
    await until(lambda: other.state("mx") == "failing")
    assert "in use" in other.intake.states()["mx"].reason
    await post.intake.stop(1)
    other.hands.advance(1)
    await until(lambda: other.said("smtp.listening"))
    await other.send(mail())
    await other.intake.stop(1)
