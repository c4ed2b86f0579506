"""Files, names and answers of an Official Account, over a platform in miniature."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from allears_sdk.connector import Address, Media
from allears_sdk.context import Context
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
from allears_sdk.message import Author, Ref
from allears_sdk.remote import PrivateAddress
from allears_sdk.testing import FakeClock, RecordingLog
from allears_sdk.testing.clock import START
from allears_sdk.testing.components import check_silent
from allears_sdk.testing.context import MemoryTokens, make_context
from connectors.wechat_oa import WechatOaConnector
from tests.connectors._mail.hosted import answered_by, make_remote
from tests.connectors._wechat.platform import SECRET, Platform, fault
from tests.connectors._wechat.pushing import CUSTOMER
from tests.connectors._wechat.vectors import APP_ID
from tests.connectors.wechat_oa.conftest import Connect, make_settings

TOKEN_PATH = "/cgi-bin/stable_token"
MEDIA = "/cgi-bin/media/get"
SEND = "/cgi-bin/message/custom/send"
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 900


def address(user: str = CUSTOMER) -> Address:
    return Address(
        to=Author(id=user), message="24681357908642135", said_at=START, reference="ALE-7K3M-Q9TX-4RWD", at=START
    )


async def fetch(connect: Connect, **locator: str) -> Any:
    return await connect().fetch(Ref(locator=locator, fetch_before=START + timedelta(days=3)))


async def test_check_says_who_we_are(connect: Connect, platform: Platform) -> None:
    found = await connect().check()
    assert (found.account, found.details[-1]) == (APP_ID, "the app secret is accepted")
    assert platform.calls[-1][0] == TOKEN_PATH
    assert "no app_secret" in (await connect(app_secret=None).check()).details[-1]


async def test_a_file_is_fetched_with_its_name(connect: Connect, platform: Platform) -> None:
    platform.media["m-1"] = (JPEG, "image/jpeg", "0tAq.jpg")
    found = await fetch(connect, media_id="m-1")
    assert found == Media(content=JPEG, media_type="image/jpeg", name="0tAq.jpg")


async def test_a_file_that_is_json_is_a_file(connect: Connect, platform: Platform) -> None:
    platform.media["m-1"] = (b'{"errcode": 40007}', "application/json", "export.json")
    assert (await fetch(connect, media_id="m-1")).content == b'{"errcode": 40007}'


async def test_a_video_is_told_by_address_and_never_fetched_from_inside(connect: Connect, platform: Platform) -> None:
    platform.videos["m-3"] = f"{platform.url}/secret-of-the-intranet"
    with pytest.raises(PrivateAddress):
        await fetch(connect, media_id="m-3")
    assert platform.called("/secret-of-the-intranet") == 0


PICTURE = "http://mmbiz.qpic.cn/mmbiz_jpg/9x/0"


@pytest.mark.parametrize("answer", [fault(48001, "api unauthorized"), fault(40007, "invalid media_id"), None])
async def test_a_picture_that_may_not_be_fetched_lies_open(tmp_path: Path, answer: dict[str, Any] | None) -> None:
    """None: there is no app_secret."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "mmbiz.qpic.cn":
            return httpx.Response(200, content=JPEG, headers={"content-type": "image/jpeg"})
        given = {"access_token": "77_t", "expires_in": 7200} if request.url.path == TOKEN_PATH else answer
        return httpx.Response(200, json=given)

    context = make_context("wx", tmp_path, remote=make_remote(FakeClock()))
    settings = make_settings() if answer else make_settings(app_secret=None)
    with answered_by(respond):
        found = await WechatOaConnector(settings, context).fetch(Ref(locator={"media_id": "m-1", "url": PICTURE}))
    assert found == Media(content=JPEG, media_type="image/jpeg")


async def test_the_address_of_a_picture_is_no_way_inside(connect: Connect, platform: Platform) -> None:
    with pytest.raises(PrivateAddress):
        await fetch(connect, url=f"{platform.url}/intranet")


async def test_a_file_that_is_gone(connect: Connect) -> None:
    with pytest.raises(Rejected, match="40007 the platform no longer has this file"):
        await fetch(connect, media_id="m-9")


async def test_a_file_above_the_limit(connect: Connect, platform: Platform) -> None:
    platform.media["m-1"] = (JPEG, "image/jpeg", "0tAq.jpg")
    with pytest.raises(Rejected, match="larger than 500 bytes"):
        await connect(max_attachment_bytes=500).fetch(Ref(locator={"media_id": "m-1"}))


async def test_a_remark_is_the_name(connect: Connect, platform: Platform) -> None:
    platform.users[CUSTOMER] = {"openid": CUSTOMER, "nickname": "", "remark": "王女士（VIP）", "unionid": "o6_bm"}
    assert await fetch(connect, user=CUSTOMER) == Author(id=CUSTOMER, name="王女士（VIP）")


async def test_somebody_the_platform_does_not_know(connect: Connect) -> None:
    with pytest.raises(Rejected, match="no such user"):
        await fetch(connect, user="oNobody")


async def test_a_token_is_asked_for_once_and_kept(connect: Connect, platform: Platform) -> None:
    platform.users[CUSTOMER] = {"openid": CUSTOMER}
    await asyncio.gather(*(fetch(connect, user=CUSTOMER) for _ in range(8)))
    assert platform.called(TOKEN_PATH) == 1
    assert platform.calls[0][2]["force_refresh"] is False


async def test_a_token_is_renewed_before_it_ends(connect: Connect, platform: Platform, clock: FakeClock) -> None:
    platform.users[CUSTOMER] = {"openid": CUSTOMER}
    await fetch(connect, user=CUSTOMER)
    clock.advance(6899)
    await fetch(connect, user=CUSTOMER)
    assert platform.called(TOKEN_PATH) == 1
    clock.advance(2)
    await fetch(connect, user=CUSTOMER)
    assert platform.called(TOKEN_PATH) == 2


async def test_a_revoked_token_is_replaced_in_the_middle_of_a_call(connect: Connect, platform: Platform) -> None:
    platform.users[CUSTOMER] = {"openid": CUSTOMER}
    connector = connect()
    await connector.profile(CUSTOMER)
    platform.revoke()
    await connector.profile(CUSTOMER)
    assert (platform.called(TOKEN_PATH), platform.forced) == (2, 0)


async def test_a_token_that_only_the_platform_believes_in_is_forced_out(connect: Connect, platform: Platform) -> None:
    platform.users[CUSTOMER] = {"openid": CUSTOMER}
    connector = connect()
    await connector.profile(CUSTOMER)
    platform.fail("/cgi-bin/user/info", fault(40001, "invalid credential, access_token is invalid or not latest"))
    assert (await connector.profile(CUSTOMER)).id == CUSTOMER
    assert platform.forced == 1


async def test_two_channels_of_one_app_renew_once(platform: Platform, tmp_path: Path) -> None:
    """Two processes, two channels: the second finds what the first has put."""
    platform.users[CUSTOMER] = {"openid": CUSTOMER}
    tokens, clock = MemoryTokens(), FakeClock()
    contexts = [make_context(name, tmp_path, clock=clock, tokens=tokens) for name in ("one", "two")]
    connectors = [WechatOaConnector(make_settings(url=platform.url), context) for context in contexts]
    await asyncio.gather(*(one.profile(CUSTOMER) for one in connectors))
    platform.revoke()
    await asyncio.gather(*(one.profile(CUSTOMER) for one in connectors))
    assert (platform.called(TOKEN_PATH), platform.forced) == (2, 0)
    for context in contexts:
        await context.remote.aclose()


async def test_a_token_refused_twice_is_an_auth_error(connect: Connect, platform: Platform) -> None:
    platform.fail("/cgi-bin/user/info", fault(40001), fault(40001))
    with pytest.raises(AuthError, match="again and again: check app id and secret"):
        await fetch(connect, user=CUSTOMER)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (fault(40125, "invalid appsecret"), AuthError, "the secret is wrong or was reset"),
        (fault(40013, "invalid appid"), ConfigError, "there is no such app id"),
        (
            fault(40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist"),
            ConfigError,
            r"address 203\.0\.113\.7 to the IP whitelist \(IP白名单\)",
        ),
        (fault(40164, "not in whitelist"), ConfigError, "add this server's address to the IP whitelist"),
        (fault(-1, "system error"), Unavailable, "busy"),
        (fault(45011, "api minute-quota reach limit"), RetryLater, "too many calls in a minute"),
        ({"expires_in": 7200}, Unavailable, "without an access token"),
        (web.Response(status=502, text="<html>bad gateway</html>"), Unavailable, "502"),
        (web.Response(text="<html>maintenance</html>", content_type="text/html"), Unavailable, "not JSON"),
        (web.json_response([1]), Unavailable, "no JSON object"),
    ],
)
async def test_why_there_is_no_token(
    connect: Connect, platform: Platform, log: RecordingLog, answer: Any, error: type[AllearsError], text: str
) -> None:
    platform.fail(TOKEN_PATH, *([answer] if not isinstance(answer, web.Response) or answer.status == 200 else []))
    if isinstance(answer, web.Response) and answer.status != 200:
        platform.fail(TOKEN_PATH, *(web.Response(status=answer.status, text="x") for _ in range(3)))
    with pytest.raises(error, match=text) as caught:
        await connect().check()
    check_silent(make_settings(), caught.value, log.entries)
    assert SECRET not in str(caught.value) + caught.value.detail


async def test_the_days_quota_waits_an_hour(connect: Connect, platform: Platform) -> None:
    platform.fail(MEDIA, fault(45009, "reach max api daily quota limit"))
    with pytest.raises(RetryLater) as caught:
        await fetch(connect, media_id="m-1")
    assert caught.value.after_seconds == 3600


async def test_a_reply_is_a_customer_service_message(connect: Connect, platform: Platform) -> None:
    await connect().reply(address(), "您好：\n编号 ALE-7K3M-Q9TX-4RWD 😊", "k1")
    words = {"content": "您好：\n编号 ALE-7K3M-Q9TX-4RWD 😊"}
    assert platform.sent == [{"touser": CUSTOMER, "msgtype": "text", "text": words}]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (45015, Void),
        (45047, Void),
        (43004, Void),
        (48001, ConfigError),
        (45009, RetryLater),
        (-1, Unavailable),
        (99999, Rejected),
    ],
)
async def test_why_a_reply_was_not_sent(
    connect: Connect, platform: Platform, code: int, error: type[AllearsError]
) -> None:
    platform.fail(SEND, fault(code))
    with pytest.raises(error):
        await connect().reply(address(), "收到", "k1")
    assert (platform.called(SEND), platform.sent) == (1, [])


async def test_a_reply_whose_answer_is_lost_is_in_doubt_and_sent_once(connect: Connect, platform: Platform) -> None:
    platform.fail(SEND, web.Response(status=502, text="bad gateway"))
    with pytest.raises(InDoubt):
        await connect().reply(address(), "收到", "k1")
    assert platform.called(SEND) == 1


async def test_a_reply_outlives_a_revoked_token(connect: Connect, platform: Platform) -> None:
    connector = connect()
    await connector.check()
    platform.revoke()
    await connector.reply(address(), "收到", "k1")
    assert len(platform.sent) == 1


async def test_after_48_hours_it_is_not_even_tried(connect: Connect, platform: Platform, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=48))
    await connect().reply(address(), "收到", "k1")
    clock.advance(1)
    with pytest.raises(Void, match="48 hours"):
        await connect().reply(address(), "收到", "k2")
    assert platform.called(SEND) == 1


async def test_nobody_to_answer(connect: Connect) -> None:
    with pytest.raises(Void):
        await connect().reply(address(""), "收到", "k1")


async def test_without_a_secret_it_says_what_is_missing(context: Context, platform: Platform) -> None:
    connector = WechatOaConnector(make_settings(url=platform.url, app_secret=None), context)
    with pytest.raises(ConfigError, match="app_secret is not set"):
        await connector.reply(address(), "收到", "k1")
    assert platform.calls == []


async def test_wechatpys_client_understands_our_platform(platform: Platform) -> None:
    """The platform in miniature is one that another client can talk to as well."""
    platform.users[CUSTOMER] = {"openid": CUSTOMER, "remark": "王女士"}

    def talk() -> Any:
        client = WeChatClient(APP_ID, SECRET, access_token="77_token-number-1", timeout=5)
        client.API_BASE_URL = f"{platform.url}/cgi-bin/"
        client.message.send_text(CUSTOMER, "收到")
        try:
            client.get("media/get", params={"media_id": "m-9"})
        except WeChatClientException as error:
            return client.user.get(CUSTOMER), error.errcode

    platform.token = "77_token-number-1"
    user, code = await asyncio.to_thread(talk)
    assert (user["remark"], code, platform.sent[0]["touser"]) == ("王女士", 40007, CUSTOMER)
