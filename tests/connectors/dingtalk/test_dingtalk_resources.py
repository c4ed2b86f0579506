"""Files, answers, and the check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from allears_sdk.connector import Address, Media
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Ref
from allears_sdk.testing import FakeClock, MemoryTokens
from connectors.dingtalk import DingTalkConnector
from tests.connectors.dingtalk.conftest import Make
from tests.connectors.dingtalk.dingtalk_server import CLIENT_ID, GROUP, OUTSIDER, STAFF, DingTalkServer, post, refuse

AMR = b"#!AMR\n" + b"0" * 2000
TOKEN_CALL = "POST /v1.0/oauth2/accessToken"


def ref(code: str) -> Ref:
    return Ref(locator={"code": code, "robot": CLIENT_ID})


async def test_a_file(pushed_to: Make, dingtalk: DingTalkServer) -> None:
    dingtalk.files["code1"] = (AMR, "audio/amr")
    connector = pushed_to()
    assert await connector.fetch(ref("code1")) == Media(content=AMR, media_type="audio/amr")
    dingtalk.expire_tokens()
    assert (await connector.fetch(ref("code1"))).content == AMR
    assert dingtalk.calls.count(TOKEN_CALL) == 2


async def test_files_that_are_gone_or_too_large(pushed_to: Make, dingtalk: DingTalkServer) -> None:
    with pytest.raises(Rejected, match="downloadCode"):
        await pushed_to().fetch(ref("old"))
    dingtalk.files["code1"] = (AMR, "audio/amr")
    with pytest.raises(Rejected, match="larger than 1000 bytes"):
        await pushed_to(max_attachment_bytes=1000).fetch(ref("code1"))


FAULTS: list[tuple[int, str, type[AllearsError]]] = [
    (403, "Forbidden.AccessDenied.AccessTokenPermissionDenied", ConfigError),
    (403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", RetryLater),
    (400, "Throttling.Api", RetryLater),
    (429, "TooManyRequests", RetryLater),
    (503, "ServiceUnavailable", RetryLater),
    (500, "ServiceError", Unavailable),
    (404, "InvalidAction.NotFound", Rejected),
]


@pytest.mark.parametrize(("status", "code", "error"), FAULTS)
async def test_what_refusals_ask_for(
    pushed_to: Make, dingtalk: DingTalkServer, status: int, code: str, error: type[AllearsError]
) -> None:
    dingtalk.faults += [refuse(status, code, "不行")]
    with pytest.raises(error):
        await pushed_to().fetch(ref("code1"))


async def test_retry_after_is_kept(pushed_to: Make, dingtalk: DingTalkServer) -> None:
    dingtalk.faults += [refuse(429, "TooMany", "太快", **{"Retry-After": "17"})]
    with pytest.raises(RetryLater) as caught:
        await pushed_to().fetch(ref("code1"))
    assert caught.value.after_seconds == 17


async def opened(connector: DingTalkConnector, data: dict[str, Any], clock: FakeClock) -> Address:
    """Where the answer to a message goes that was posted to the connector."""
    (raw,) = (await connector.receive(post(data, clock))).raws
    (message,) = connector.parse(raw, connector.settings)
    return Address(
        to=message.author,
        message=message.external_id,
        thread=message.thread,
        said_at=clock.now(),
        reference="ALE-7K3M-Q9TX-4RWD",
        at=clock.now(),
        language="zh",
    )


async def test_an_answer(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    connector = pushed_to(acknowledge={})
    address = await opened(connector, dingtalk.say("退款"), clock)
    await connector.reply(address, "已受理，编号 ALE-7K3M-Q9TX-4RWD。", "KEY")
    text = {"content": "已受理，编号 ALE-7K3M-Q9TX-4RWD。"}
    assert dingtalk.answers == [{"session": "s1", "msgtype": "text", "text": text}]


async def test_in_a_group_it_names_who_asked(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    connector = pushed_to(acknowledge={})
    group = {"conversationType": "2", "conversationId": GROUP}
    await connector.reply(await opened(connector, dingtalk.say("漏水", **group), clock), "已受理", "A")
    outsider = await opened(connector, dingtalk.say("漏水", senderStaffId=None, **group), clock)
    assert outsider.to.id == OUTSIDER
    await connector.reply(outsider, "已受理", "B")
    assert [answer.get("at") for answer in dingtalk.answers] == [{"atUserIds": [STAFF]}, None]


async def test_the_newest_session_counts(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    connector = pushed_to(acknowledge={})
    address = await opened(connector, dingtalk.say("退款"), clock)
    clock.advance(5000)
    await opened(connector, dingtalk.say("还没处理吗"), clock)
    clock.advance(5000)
    await connector.reply(address, "已受理", "KEY")
    assert len(dingtalk.answers) == 1


async def test_sessions_that_are_over_are_thrown_away(
    pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock, context: Context
) -> None:
    tokens = context.tokens
    assert isinstance(tokens, MemoryTokens)
    connector = pushed_to(acknowledge={})
    for number in range(3):
        await opened(connector, dingtalk.say("退款", conversationId=f"cid{number}=="), clock)
    assert len(tokens.values) == 3
    clock.advance(5400)
    await opened(connector, dingtalk.say("还没处理吗", conversationId="cid0=="), clock)
    assert len(tokens.values) == 1


async def test_too_late(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    connector = pushed_to(acknowledge={})
    address = await opened(connector, dingtalk.say("退款"), clock)
    clock.advance(5400)
    with pytest.raises(Void, match="time for an answer"):
        await connector.reply(address, "已受理", "KEY")
    with pytest.raises(Void, match="no address"):
        await connector.reply(replace(address, thread=("other",)), "已受理", "KEY")
    with pytest.raises(Void):
        await connector.reply(replace(address, thread=()), "已受理", "KEY")
    assert dingtalk.answers == []


async def test_an_answer_goes_to_dingtalk_and_nowhere_else(
    pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock
) -> None:
    """The signature does not cover the body: whoever has seen one could name any address in it."""
    connector = pushed_to(acknowledge={})
    for url in ("http://169.254.169.254/latest", f"{dingtalk.url}.evil.example/robot", f"{dingtalk.url}@evil.example/"):
        address = await opened(connector, dingtalk.say("退款", sessionWebhook=url), clock)
        with pytest.raises(Rejected, match="answer_url"):
            await connector.reply(address, "已受理", "KEY")


REFUSALS: list[tuple[dict[str, Any] | list[int], type[AllearsError]]] = [
    ({"errcode": 300001, "errmsg": "session 不存在"}, Void),
    ({"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}, RetryLater),
    ({"errcode": 460101, "errmsg": "message too long"}, Rejected),
    ({"ok": True}, InDoubt),
    ([1], InDoubt),
]


@pytest.mark.parametrize(("body", "error"), REFUSALS)
async def test_refused_answers(
    pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock, body: Any, error: type[AllearsError]
) -> None:
    connector = pushed_to(acknowledge={})
    address = await opened(connector, dingtalk.say("退款"), clock)
    dingtalk.faults += [web.json_response(body)]
    with pytest.raises(error):
        await connector.reply(address, "已受理", "KEY")


async def test_a_lost_answer_is_in_doubt(pushed_to: Make, dingtalk: DingTalkServer, clock: FakeClock) -> None:
    connector = pushed_to(acknowledge={})
    address = await opened(connector, dingtalk.say("退款"), clock)
    dingtalk.lost_answers = 1
    with pytest.raises(InDoubt):
        await connector.reply(address, "已受理", "KEY")
    assert len(dingtalk.answers) == 1


async def test_check(pushed_to: Make, connected: Make) -> None:
    assert (await connected().check()).details == ("messages over Stream mode",)
    assert (await pushed_to().check()).details == ("messages by HTTP mode",)
    assert "path_secret" in (await pushed_to(path_secret=None).check()).details[1]
    with pytest.raises(AuthError, match="client_id and client_secret") as caught:
        await pushed_to(client_id="dingother", client_secret="wrong-s3cret").check()
    assert "wrong-s3cret" not in f"{caught.value!r} {caught.value.detail}"
