"""Entering a mailbox by access token: Dovecot asks a token authority of ours whether each token is good."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Wake
from allears_sdk.context import Context
from allears_sdk.errors import AuthError, ConfigError, RetryLater, Unavailable
from allears_sdk.testing.components import check_silent
from allears_sdk.testing.context import RecordingLog
from allears_sdk.testing.journal import MiniJournal, hear
from bench.servers.dovecot import Dovecot, Knobs
from connectors.email import EmailConnector, EmailSettings
from tests.conftest import missing
from tests.connectors.email.conftest import Connect
from tests.connectors.email.harness import COUNT, Mailbox, make_mail, until
from tests.connectors.email.lines import Lines

SECRET = "application-secret-5f2e"


@dataclass
class Authority:
    """Gives tokens to the application, and tells Dovecot whose a token is."""

    url: str = ""
    mailbox: str = ""
    good: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)
    introspected: list[str] = field(default_factory=list)
    gives_bad: bool = False

    async def give(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("client_secret") != SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"eyJ0eXAi-{len(self.given) + 1}-" + "x" * 1800  # as long as Microsoft's
        self.given.append(token)
        if not self.gives_bad:
            self.good.add(token)
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def introspect(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.introspected.append(token)
        return web.json_response({"active": token in self.good, "email": self.mailbox})

    def settings(self, **more: Any) -> dict[str, Any]:
        given = {"provider": "custom", "grant": "client_credentials", "client_id": "intake", "client_secret": SECRET}
        return {"password": None, "oauth": {**given, "token_url": f"{self.url}/token"}, **more}


@pytest.fixture
async def authority() -> AsyncIterator[Authority]:
    authority = Authority()
    app = web.Application()
    app.router.add_post("/token", authority.give)
    app.router.add_get("/introspect", authority.introspect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    authority.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield authority
    await runner.cleanup()


@pytest.fixture
async def box(authority: Authority, tmp_path: Path) -> AsyncIterator[Mailbox]:
    if Dovecot.program() is None:
        missing("Dovecot (apt: dovecot-imapd)")
    authority.mailbox = f"user{next(COUNT)}@example.com"
    server = Dovecot(Knobs(introspection_url=f"{authority.url}/introspect"))
    await asyncio.to_thread(server.start)
    yield Mailbox(server, user=authority.mailbox)
    await asyncio.to_thread(server.stop)


async def put(box: Mailbox, text: str) -> None:
    """Not on the loop, where Dovecot's question to the authority waits for an answer."""
    await asyncio.to_thread(box.put, make_mail(text))


@pytest.mark.services
async def test_a_mailbox_entered_by_token(
    box: Mailbox, authority: Authority, connect: Connect, journal: MiniJournal, log: RecordingLog
) -> None:
    await put(box, "屏幕碎了，要求退款")
    connector = await connect(box, **authority.settings())
    identity = await connector.check()
    assert authority.mailbox in identity.account
    await hear(connector, journal)
    assert len(journal.raws) == 1
    assert len(authority.given) == 1, "the second connection uses the token of the first"
    check_silent(connector.settings, *log.entries, identity)
    assert authority.given[0] not in f"{log.entries} {connector!r}"


@pytest.mark.services
async def test_a_token_that_has_expired_is_renewed_once(
    box: Mailbox, authority: Authority, connect: Connect, journal: MiniJournal
) -> None:
    """By the server's clock it has; the reading goes on as if nothing were."""
    await put(box, "1")
    connector = await connect(box, **authority.settings())
    await connector.check()
    authority.good.clear()
    await hear(connector, journal)
    assert (len(journal.raws), len(authority.given)) == (1, 2)
    assert authority.introspected == [authority.given[0], authority.given[0], authority.given[1]]


@pytest.mark.services
async def test_tokens_that_are_all_refused(box: Mailbox, authority: Authority, connect: Connect) -> None:
    authority.gives_bad = True
    connector = await connect(box, **authority.settings())
    with pytest.raises(AuthError, match="may the application use IMAP") as caught:
        await connector.check()
    assert '"status":"401"' in caught.value.detail
    assert len(authority.given) == 2
    assert authority.given[0] not in f"{caught.value} {caught.value.detail} {caught.value.__cause__}"


@pytest.mark.services
async def test_a_token_of_somebody_else(box: Mailbox, authority: Authority, connect: Connect) -> None:
    authority.mailbox = "boss@example.com"
    connector = await connect(box, **authority.settings())
    with pytest.raises(AuthError, match="this mailbox"):
        await connector.check()


@pytest.mark.services
async def test_idle_goes_on_after_a_loss_with_a_new_token(
    box: Mailbox, authority: Authority, connect: Connect, journal: MiniJournal
) -> None:
    connector = await connect(box, **authority.settings())
    wakes: list[Wake] = []

    async def listen() -> None:
        async for news in connector.listen():
            assert isinstance(news, Wake)
            wakes.append(news)

    task = asyncio.create_task(listen())
    await until(lambda: len(authority.introspected) == 1)
    authority.good.clear()
    connector._line.close()  # as a router would end it
    await until(lambda: len(authority.given) == 2 and authority.introspected[-1] == authority.given[1])
    await put(box, "2")
    await until(lambda: bool(wakes))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.services
async def test_a_wrong_application_secret(box: Mailbox, authority: Authority, connect: Connect) -> None:
    settings = authority.settings()
    settings["oauth"]["client_secret"] = "of-last-year-0001"
    connector = await connect(box, **settings)
    with pytest.raises(AuthError, match="look at its registration"):
        await connector.check()


@pytest.mark.services
async def test_a_server_that_takes_no_tokens(authority: Authority, dovecot: Dovecot, connect: Connect) -> None:
    connector = await connect(Mailbox(dovecot, user="user@example.com"), **authority.settings())
    with pytest.raises(ConfigError, match="no XOAUTH2"):
        await connector.check()


# What the hosted services say, on a server that speaks their lines and no others.

CHALLENGE = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}')


GMAIL_REFUSES = b"+ " + CHALLENGE + b"\r\nNO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
EXCHANGE_REFUSES = b"NO AUTHENTICATE failed."
EXCHANGE_TAKES = b"OK AUTHENTICATE completed."


async def look(lines: Lines, authority: Authority, context: Context) -> EmailConnector:
    server = await asyncio.start_server(lines.serve, "127.0.0.1", 0)
    lines.port = server.sockets[0].getsockname()[1]
    fields = {"host": "127.0.0.1", "port": lines.port, "tls": "none", "username": "support@contoso.com"}
    connector = EmailConnector(EmailSettings.model_validate(fields | authority.settings()), context)
    try:
        await connector.check()
    finally:
        await connector.stop()
        server.close()
    return connector


async def test_gmail_wants_an_empty_line_after_its_refusal(authority: Authority, context: Context) -> None:
    lines = Lines([GMAIL_REFUSES])
    with pytest.raises(AuthError) as caught:
        await look(lines, authority, context)
    assert '"schemes":"Bearer"' in caught.value.detail
    assert lines.responses[1::2] == [b"", b""]
    sent = [base64.b64decode(response) for response in lines.responses[::2]]
    assert sent == [f"user=support@contoso.com\1auth=Bearer {token}\1\1".encode() for token in authority.given]
    assert len(sent) == 2


async def test_exchange_gives_no_reason(authority: Authority, context: Context) -> None:
    with pytest.raises(AuthError, match="refused the access token"):
        await look(Lines([EXCHANGE_REFUSES]), authority, context)
    assert len(authority.given) == 2


async def test_exchange_lets_in_and_says_later_that_the_mailbox_is_not_ours(
    authority: Authority, context: Context
) -> None:
    lines = Lines([EXCHANGE_TAKES], select=b"BAD User is authenticated but not connected.")
    with pytest.raises(Unavailable, match="username its address"):
        await look(lines, authority, context)
    assert len(authority.given) == 1


async def test_too_many_connections_are_no_reason_for_a_new_token(authority: Authority, context: Context) -> None:
    lines = Lines([b"NO [ALERT] Too many simultaneous connections. (Failure)"])
    with pytest.raises(RetryLater) as caught:
        await look(lines, authority, context)
    assert 120 <= (caught.value.after_seconds or 0) <= 180
    assert len(authority.given) == 1
