"""Who gets in, from where, and who may change what."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from allears.http.admin import AdminServer
from allears.http.admin_access import MOST_FAILURES, SESSION_SECONDS
from allears.journal.sqlite import open_journal
from allears_sdk.errors import ConfigError
from allears_sdk.testing.clock import FakeClock
from tests.console.conftest import House, MakeHouse, Steering

TOKEN = "k7-Vt2_wJ9xQ-long-enough"
PASSWORD = "correct horse 电池"
HTML = {"Accept": "text/html", "Accept-Language": "en"}

Headers = dict[str, str]
Answer = tuple[int, str, CIMultiDictProxy[str]]


async def get(house: House, path: str, **headers: str) -> Answer:
    async with house.session.get(house.url(path), headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers


async def post(house: House, path: str, form: dict[str, str], headers: Headers) -> Answer:
    async with house.session.post(house.url(path), data=form, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


async def csrf(house: House, path: str = "/letters") -> str:
    page = await house.page(path)
    return str(re.findall(r'name="csrf" value="([0-9a-f]{64})"', page)[0])


async def sign_in(house: House, token: str = TOKEN, onward: str = "/letters") -> Answer:
    form = {"csrf": await csrf(house, "/login"), "token": token, "next": onward}
    return await post(house, "/login", form, HTML)


# Credentials


async def test_without_credentials_it_stands_open_on_loopback_and_nowhere_else(tmp_path: Path) -> None:
    clock = FakeClock()
    journal = await open_journal(tmp_path, clock)
    try:
        for host in ("0.0.0.0", "::", "192.0.2.7", "ears.shop.example"):
            with pytest.raises(ConfigError, match="reachable from outside"):
                AdminServer(journal, Steering(), clock=clock, host=host)
            AdminServer(journal, Steering(), clock=clock, host=host, token=TOKEN)
        for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
            AdminServer(journal, Steering(), clock=clock, host=host)
    finally:
        await journal.close()


async def test_a_token_opens_everything_and_nothing_opens_without(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    for path in ("/api/complaints", "/metrics", "/raws/1/download", "/api/nowhere"):
        status, text, headers = await get(house, path)
        assert status == 401, path
        assert headers["WWW-Authenticate"] == "Bearer"
        assert "credentials" in text
        for wrong in ("Bearer wrong", "Bearer ", "Bearer " + TOKEN + "x", "Basic " + TOKEN, TOKEN):
            assert (await get(house, path, Authorization=wrong))[0] in (401, 429)
        house.clock.advance(61)
    assert (await get(house, "/api/complaints", Authorization=f"Bearer {TOKEN}"))[0] == 200
    assert (await get(house, "/metrics", Authorization=f"bearer {TOKEN}"))[0] == 200


async def test_basic_auth(make_house: MakeHouse) -> None:
    house = await make_house(username="it", password=PASSWORD)
    status, _, headers = await get(house, "/", **HTML)
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="allears", charset="UTF-8"')
    for wrong in (basic("it", ""), basic("", PASSWORD), basic("root", PASSWORD), "Basic !!!", "Basic"):
        assert (await get(house, "/", Authorization=wrong))[0] == 401
    assert (await get(house, "/", Authorization=basic("it", PASSWORD)))[0] == 200


async def test_health_is_open_and_readiness_keeps_its_reasons(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    assert (await get(house, "/healthz"))[:2] == (200, '{"status": "ok"}')
    assert (await get(house, "/readyz"))[:2] == (200, '{"status": "degraded"}')
    status, text, _ = await get(house, "/readyz", Authorization=f"Bearer {TOKEN}")
    assert (status, "app-store-cn" in text) == (200, True)
    assert "app-store-cn" not in (await get(house, "/readyz", Authorization="Bearer guess"))[1]


async def test_a_person_signs_in_with_the_token_and_out_again(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    status, _, headers = await get(house, "/letters?state=open", **HTML)
    assert (status, headers["Location"]) == (303, "/login?next=/letters?state%3Dopen")
    status, _, headers = await sign_in(house)
    assert (status, headers["Location"]) == (303, "/letters")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    page = await house.page("/letters")
    assert "Sign out" in page
    status, _, headers = await post(house, "/logout", {"csrf": await csrf(house)}, HTML)
    assert (status, headers["Location"]) == (303, "/login")
    assert (await get(house, "/letters", **HTML))[0] == 303


async def test_a_session_ends_by_time_and_cannot_be_made_up(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    await sign_in(house)
    value = next(cookie.value for cookie in house.session.cookie_jar if cookie.key == "allears_session")
    house.session.cookie_jar.clear()
    ends, nonce, signature = value.split(".")
    forged = [f"{int(ends) + 9}.{nonce}.{signature}", f"{ends}.{nonce}.", f"{ends}.{nonce}", "..", "", "é", "a.b.c"]
    for cookie in forged:
        headers = {**HTML, "Cookie": f"allears_session={cookie}"}
        assert (await get(house, "/letters", **headers))[0] == 303, cookie
    headers = {**HTML, "Cookie": f"allears_session={value}"}
    assert (await get(house, "/letters", **headers))[0] == 200
    house.clock.advance(SESSION_SECONDS + 1)
    assert (await get(house, "/letters", **headers))[0] == 303


async def test_another_token_ends_every_session(make_house: MakeHouse) -> None:
    first, second = await make_house(token=TOKEN), await make_house(token=TOKEN + "2")
    await sign_in(first)
    value = next(cookie.value for cookie in first.session.cookie_jar if cookie.key == "allears_session")
    assert (await get(second, "/letters", **HTML, Cookie=f"allears_session={value}"))[0] == 303


async def test_guessing_is_slowed_down(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    for _ in range(MOST_FAILURES):
        status, text, _ = await sign_in(house, "guess")
        assert (status, "That token is not right." in text) == (403, True)
    status, text, headers = await sign_in(house)
    assert (status, "Too many attempts" in text) == (429, True)
    assert 0 < int(headers["Retry-After"]) <= 61
    assert (await get(house, "/api/channels", Authorization=f"Bearer {TOKEN}"))[0] == 429
    assert (await get(house, "/healthz"))[0] == 200
    house.clock.advance(61)
    assert (await sign_in(house))[0] == 303


async def test_the_login_sends_nobody_elsewhere(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    assert (await sign_in(house, onward="https://evil.example/"))[2]["Location"] == "/"
    house.session.cookie_jar.clear()
    assert (await sign_in(house, onward="//evil.example/"))[2]["Location"] == "/"


async def test_secrets_are_not_in_what_is_printed(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN, username="it", password=PASSWORD)
    assert TOKEN not in repr(house.server.state)
    assert PASSWORD not in repr(house.server.state)


# Host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:9", "[::1]:8080", "127.0.0.53", "localhost."])
async def test_our_own_names_are_answered(house: House, host: str) -> None:
    assert (await get(house, "/", Host=host))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.0.2.1", "", "[::1", "localhost@evil", "0"],
)
async def test_a_strangers_name_for_our_address_is_not(house: House, host: str) -> None:
    for path in ("/", "/healthz", "/api/complaints"):
        status, text, _ = await get(house, path, Host=host)
        assert status == 421
        assert "This name is not" in text


async def test_a_configured_name_is_ours(make_house: MakeHouse) -> None:
    house = await make_house(allowed_hosts=["ears.internal.example"])
    assert (await get(house, "/", Host="ears.internal.example:443"))[0] == 200
    assert (await get(house, "/", Host="other.internal.example"))[0] == 421


async def test_bound_to_every_address_any_address_is_ours_and_no_name(make_house: MakeHouse) -> None:
    house = await make_house(host="0.0.0.0", token=TOKEN)
    assert (await get(house, "/healthz", Host="192.0.2.1:80"))[0] == 200
    assert (await get(house, "/healthz", Host="evil.example"))[0] == 421


# Changes


async def test_a_form_changes_things(house: House) -> None:
    letter = next(one for one in await house.journal.letters() if one.place == "helpdesk")
    status, _, headers = await post(house, f"/letters/{letter.id}/replay", {"csrf": await csrf(house)}, HTML)
    assert (status, headers["Location"]) == (303, "/letters?done=replayed")
    assert "It is on its way again." in await house.page("/letters?done=replayed")
    again = await house.journal.letter(letter.id)
    assert again is not None
    assert again.state == "replayed"
    status, text, _ = await post(house, f"/letters/{letter.id}/replay", {"csrf": await csrf(house, "/")}, HTML)
    assert (status, "dealt with this already" in text) == (409, True)
    await post(house, "/channels/web-form/pause", {"csrf": await csrf(house, "/")}, HTML)
    await post(house, "/channels/web-form/resume", {"csrf": await csrf(house, "/")}, HTML)
    assert house.steering.told == [("pause", "web-form"), ("resume", "web-form")]
    assert (await post(house, "/channels/nowhere/pause", {"csrf": await csrf(house, "/")}, HTML))[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_changes_nothing(house: House, headers: Headers) -> None:
    form = {"csrf": await csrf(house)}
    letter = (await house.journal.letters())[0]
    assert (await post(house, f"/letters/{letter.id}/discard", form, HTML | headers))[0] == 403
    url = house.url("/api/channels/web-form/pause")
    async with house.session.post(url, json={}, headers=headers) as answer:
        assert answer.status == 403
    assert house.steering.told == []
    assert await house.journal.letter(letter.id) == letter


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}])
async def test_a_form_without_our_token_changes_nothing(house: House, form: Headers) -> None:
    status, text, _ = await post(house, "/channels/web-form/pause", form, HTML)
    assert (status, "did not come from the console" in text) == (403, True)
    assert house.steering.told == []


async def test_a_form_belongs_to_its_session(make_house: MakeHouse) -> None:
    house = await make_house(token=TOKEN)
    stale = await csrf(house, "/login")
    await sign_in(house)
    assert (await post(house, "/channels/web-form/pause", {"csrf": stale}, HTML))[0] == 403
    assert (await post(house, "/channels/web-form/pause", {"csrf": await csrf(house)}, HTML))[0] == 303


async def test_links_change_nothing(house: House) -> None:
    assert (await get(house, "/channels/web-form/pause", **HTML))[0] == 405
    assert (await get(house, "/letters/1/discard", **HTML))[0] == 405
    assert house.steering.told == []


async def test_a_big_body_is_refused(house: House) -> None:
    status, _, _ = await post(house, "/channels/web-form/pause", {"csrf": "x" * 100_000}, HTML)
    assert status == 413


# Headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/channels", "/healthz", "/raws/1", "/language/zh"])
async def test_every_answer_is_buttoned_up(house: House, path: str) -> None:
    _, _, headers = await get(house, path, **HTML)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers


async def test_a_broken_handler_tells_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def explode(*args: object, **kwargs: object) -> None:
        raise RuntimeError("SELECT secret FROM tokens")

    monkeypatch.setattr(house.journal, "letters", explode)
    for path in ("/letters", "/api/letters"):
        async with house.session.get(house.url(path), headers=HTML) as answer:
            assert answer.status == 500
            text = await answer.text()
        assert "the log says what" in text
        assert "secret" not in text


async def test_stopping_frees_the_port(make_house: MakeHouse) -> None:
    house = await make_house(filled=False)
    port = house.server.port
    await house.server.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await house.session.get(f"http://127.0.0.1:{port}/healthz")
    await house.server.start()
    assert (await get(house, "/healthz"))[0] == 200
