"""Logging in with a person: by a code on another device, and through a browser that is led back here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import respx

from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, Unavailable
from allears_sdk.oauth import OAuth, OAuthSettings
from allears_sdk.testing import FakeClock, MemoryTokens
from tests.sdk.oauth.desk import GOOGLE, IMAP, MICROSOFT, device_settings, granted, microsoft_says, sent

DEVICE_CODE = MICROSOFT.replace("token", "devicecode")
CODE = {
    "user_code": "FJC3ABCDE",
    "device_code": "GMMhmHCXhWEzkobqIHGG_EnNYYsAkukHspeYUk9E8...",
    "verification_uri": "https://microsoft.com/devicelogin",
    "expires_in": 900,
    "interval": 5,
    "message": "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code.",
}
NO_PAGE = CODE | {"verification_uri": "javascript:alert(1)"}
SPELL = CODE | {"verification_uri": "https://a.example/\x1b[2J"}
PENDING = httpx.Response(
    400, json=microsoft_says("authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending.")
)
SLOW_DOWN = httpx.Response(400, json={"error": "slow_down"})
DECLINED = httpx.Response(400, json=microsoft_says("authorization_declined", 70017, "The end user denied"))
EXPIRED = httpx.Response(400, json=microsoft_says("expired_token", 70020, "The device_code has expired."))
NO_SECRET = httpx.Response(401, json=microsoft_says("invalid_client", 7000218, "must contain client_secret"))


@dataclass
class Person:
    """Types `lines`, and does `visit` with what is shown."""

    lines: list[str] = field(default_factory=list)
    visit: Callable[[str], Any] | None = None
    shown: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0

    async def show(self, url: str, code: str) -> None:
        self.shown.append((url, code))
        if self.visit:
            self.visit(url)

    async def prompt(self, text: str) -> str:
        self.asked += 1
        return self.lines.pop(0) if self.lines else ""


def by_device(context: Context, clock: FakeClock) -> OAuth:
    return OAuth(context, device_settings(), [IMAP], account="support@contoso.com", sleep=clock.sleep)


async def test_a_code_on_another_device(
    context: Context, router: respx.MockRouter, clock: FakeClock, tokens: MemoryTokens
) -> None:
    start = router.post(DEVICE_CODE).respond(json=CODE)
    poll = router.post(MICROSOFT).mock(side_effect=[PENDING, SLOW_DOWN, PENDING, httpx.Response(200, json=granted(1))])
    person, account = Person(), by_device(context, clock)
    await account.login(person)
    assert person.shown == [("https://microsoft.com/devicelogin", "FJC3ABCDE")]
    assert sent(start) == {"client_id": "6731de76", "scope": f"{IMAP} offline_access"}
    assert sent(poll) == {
        "client_id": "6731de76",
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": CODE["device_code"],
    }
    assert clock.slept == [5, 5, 10, 10]
    assert await account.access_token() == "at-1"
    (kept,) = tokens.values.values()
    assert kept["refresh_token"] == "rt-1"


@pytest.mark.parametrize(
    ("answers", "says"),
    [([PENDING, DECLINED], "declined"), ([PENDING, EXPIRED], "in time"), ([NO_SECRET], "Allow public client flows")],
)
async def test_a_code_that_leads_nowhere(
    context: Context,
    router: respx.MockRouter,
    clock: FakeClock,
    tokens: MemoryTokens,
    answers: list[httpx.Response],
    says: str,
) -> None:
    router.post(DEVICE_CODE).respond(json=CODE)
    router.post(MICROSOFT).mock(side_effect=answers)
    with pytest.raises(AuthError, match=says):
        await by_device(context, clock).login(Person())
    assert tokens.values == {}


async def test_a_code_that_nobody_enters(context: Context, router: respx.MockRouter, clock: FakeClock) -> None:
    router.post(DEVICE_CODE).respond(json=CODE)
    router.post(MICROSOFT).mock(return_value=PENDING)
    with pytest.raises(AuthError, match="in time"):
        await by_device(context, clock).login(Person())
    assert 850 < sum(clock.slept) < 900


async def test_a_connection_that_is_lost_while_waiting(
    context: Context, router: respx.MockRouter, clock: FakeClock
) -> None:
    router.post(DEVICE_CODE).respond(json={**CODE, "interval": None})
    lost: list[Any] = [httpx.ReadTimeout("late"), httpx.Response(502), httpx.Response(200, json=granted(1))]
    router.post(MICROSOFT).mock(side_effect=lost)
    await by_device(context, clock).login(Person())
    assert clock.slept == [5, 10, 20]


@pytest.mark.parametrize("answer", [{}, NO_PAGE, SPELL, CODE | {"device_code": ""}])
async def test_a_device_code_that_makes_no_sense(
    context: Context, router: respx.MockRouter, clock: FakeClock, answer: dict[str, Any]
) -> None:
    router.post(DEVICE_CODE).respond(json=answer)
    with pytest.raises(Unavailable):
        await by_device(context, clock).login(Person())


async def test_a_log_in_without_a_refresh_token(
    context: Context, router: respx.MockRouter, clock: FakeClock, tokens: MemoryTokens
) -> None:
    """It would end in an hour: better told at once."""
    router.post(DEVICE_CODE).respond(json=CODE)
    router.post(MICROSOFT).respond(json=granted(1, refresh=False))
    with pytest.raises(AuthError, match="refresh token"):
        await by_device(context, clock).login(Person())
    assert tokens.values == {}


def google(**more: Any) -> OAuthSettings:
    given = {"provider": "google", "client_id": "7741.apps.googleusercontent.com", "client_secret": "GOCSPX-secret"}
    return OAuthSettings.model_validate(given | more)


def by_browser(context: Context, settings: OAuthSettings | None = None) -> OAuth:
    return OAuth(context, settings or google(), ["https://mail.google.com/"], account="kefu@example.com")


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def way_back(url: str, **answer: str) -> str:
    """Where Google leads a browser that was shown `url`."""
    asked = query(url)
    given = {"state": asked["state"], "iss": "https://accounts.google.com", "scope": asked["scope"], **answer}
    return f"{asked['redirect_uri']}/?{urlencode(given)}"


async def get(address: str) -> bytes:
    """What a browser gets there."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_browser_on_this_machine(context: Context, router: respx.MockRouter) -> None:
    route = router.post(GOOGLE).respond(json=granted(1, scope="https://mail.google.com/"))
    browsing: list[asyncio.Task[bytes]] = []

    def visit(url: str) -> None:
        browsing.append(asyncio.create_task(get(way_back(url, code="4/0AdQt8q"))))

    person, account = Person(visit=visit), by_browser(context)
    await account.login(person)
    assert b"200 OK" in await browsing[0]
    asked = query(person.shown[0][0])
    assert person.shown[0][0].startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert person.shown[0][1] == ""
    assert (asked["scope"], asked["access_type"], asked["prompt"]) == ("https://mail.google.com/", "offline", "consent")
    assert (asked["code_challenge_method"], asked["login_hint"]) == ("S256", "kefu@example.com")
    form = sent(route)
    assert (form["grant_type"], form["code"]) == ("authorization_code", "4/0AdQt8q")
    assert form["redirect_uri"] == asked["redirect_uri"]
    assert form["client_secret"] == "GOCSPX-secret"
    assert form["code_verifier"] not in person.shown[0][0]
    assert await account.access_token() == "at-1"


async def test_a_browser_on_another_machine(context: Context, router: respx.MockRouter) -> None:
    """The page it ends at cannot be shown there; its address is pasted here."""
    router.post(GOOGLE).respond(json=granted(1))
    person = Person()
    person.visit = lambda url: person.lines.extend(["what?", way_back(url, code="4/0AdQt8q") + "\n"])
    await by_browser(context).login(person)
    assert person.asked == 2


async def test_strangers_at_the_door(context: Context, router: respx.MockRouter) -> None:
    """Another page in the same browser may call our port: without our state it is nobody."""
    route = router.post(GOOGLE).respond(json=granted(1))
    answers: list[bytes] = []

    async def come(url: str) -> None:
        back = query(url)["redirect_uri"]
        answers.append(await get(f"{back}/?code=stolen&state=guessed"))
        answers.append(await get(f"{back}/?code=stolen"))
        answers.append(await get(f"{back}/favicon.ico?"))
        await knock(back, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        await knock(back, b"G" * 40_000)
        await get(way_back(url, code="ours"))

    coming: list[asyncio.Task[None]] = []
    await by_browser(context).login(Person(visit=lambda url: coming.append(asyncio.create_task(come(url)))))
    await coming[0]
    assert [answer.split()[1] for answer in answers] == [b"400"] * 3
    assert not any(b"stolen" in answer for answer in answers)
    assert (route.call_count, sent(route)["code"]) == (1, "ours")


async def knock(back: str, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(urlsplit(back).hostname, urlsplit(back).port)
    writer.write(data)
    try:
        await reader.read()
    except ConnectionError:
        return
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (400, {"error": "invalid_grant", "error_description": "Malformed auth code."}, AuthError, "log in again"),
        (401, {"error": "invalid_client", "error_description": "Unauthorized"}, AuthError, "registration"),
        (
            400,
            {"error": "redirect_uri_mismatch", "error_description": "Bad Request"},
            AuthError,
            "redirect_uri_mismatch",
        ),
        (500, {}, Unavailable, "500"),
    ],
)
async def test_a_code_that_is_refused(
    context: Context, router: respx.MockRouter, status: int, body: dict[str, str], kind: type[AllearsError], says: str
) -> None:
    router.post(GOOGLE).respond(status, json=body)
    person = Person()
    person.visit = lambda url: person.lines.append(way_back(url, code="4/0AdQt8q"))
    with pytest.raises(kind, match=says):
        await by_browser(context).login(person)


async def test_a_person_who_declines(context: Context, router: respx.MockRouter) -> None:
    person = Person()
    person.visit = lambda url: person.lines.append(way_back(url, error="access_denied"))
    with pytest.raises(AuthError, match="declined"):
        await by_browser(context).login(person)
    assert not router.calls


async def test_a_port_that_is_taken(context: Context) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)):
            await by_browser(context, google(redirect_port=port)).login(Person())


async def test_microsoft_by_browser(context: Context, router: respx.MockRouter) -> None:
    route = router.post(MICROSOFT).respond(json=granted(1))
    person = Person()
    person.visit = lambda url: person.lines.append(way_back(url, code="0.AXEA"))
    account = OAuth(context, device_settings(grant="browser"), [IMAP], account="support@contoso.com")
    await account.login(person)
    assert sent(route)["redirect_uri"].startswith("http://localhost:")
    assert "client_secret" not in sent(route)


async def test_an_application_needs_nobody(context: Context, router: respx.MockRouter) -> None:
    """To log in is then to prove that a token is to be had."""
    router.post(MICROSOFT).respond(json=granted(1, refresh=False))
    person = Person()
    settings = device_settings(grant="client_credentials", client_secret="s3cret")
    await OAuth(context, settings, [IMAP]).login(person)
    assert person.shown == []
