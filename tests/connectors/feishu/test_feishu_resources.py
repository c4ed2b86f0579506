"""Files, names, merged messages, answers, and the check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from allears_sdk.connector import Address, Media
from allears_sdk.errors import AuthError, ConfigError, InDoubt, Rejected, RetryLater, Void
from allears_sdk.message import Author, Ref
from tests.connectors.feishu.conftest import Make
from tests.connectors.feishu.feishu_server import APP_SECRET, BOT, LILEI, FeishuServer, refuse

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 2000


def resource(item: dict[str, Any], key: str, type_: str) -> Ref:
    return Ref(locator={"message": item["message_id"], "key": key, "type": type_})


async def test_a_file(pushed_to: Make, feishu: FeishuServer) -> None:
    item = feishu.say("", kind="image", image_key="img_v3_1")
    feishu.files[item["message_id"], "img_v3_1", "image"] = (PNG, "image/png")
    fetched = await pushed_to().fetch(resource(item, "img_v3_1", "image"))
    assert fetched == Media(content=PNG, media_type="image/png")


async def test_files_that_are_gone_or_too_large(pushed_to: Make, feishu: FeishuServer) -> None:
    item = feishu.say("", kind="file", file_key="file_v3_1", file_name="聊天记录.pdf")
    with pytest.raises(Rejected, match="not in this message"):
        await pushed_to().fetch(resource(item, "file_v3_1", "file"))
    feishu.files[item["message_id"], "file_v3_1", "file"] = (PNG, "application/pdf")
    with pytest.raises(Rejected, match="larger than 1000 bytes"):
        await pushed_to(max_attachment_bytes=1000).fetch(resource(item, "file_v3_1", "file"))
    for code, words in ((234038, "restricted"), (234043, "cards"), (230110, "deleted")):
        feishu.faults.append(refuse(code, "no"))
        with pytest.raises(Rejected, match=words):
            await pushed_to().fetch(resource(item, "file_v3_1", "file"))
    feishu.faults.append(refuse(99991400, "slow down", status=429))
    with pytest.raises(RetryLater):
        await pushed_to().fetch(resource(item, "file_v3_1", "file"))


async def test_a_locator_leads_nowhere_else(pushed_to: Make, feishu: FeishuServer) -> None:
    with pytest.raises(Rejected):
        await pushed_to().fetch(Ref(locator={"message": "../../auth", "key": "a/b?c", "type": "image"}))
    assert feishu.calls[-1].startswith("GET /open-apis/im/v1/messages/../../auth/resources/a/b?c")


async def test_a_name(pushed_to: Make, feishu: FeishuServer) -> None:
    feishu.people[LILEI] = {
        "open_id": LILEI,
        "name": "李雷",
        "en_name": "Lei Li",
        "mobile": "+8613800138000",
        "enterprise_email": "LiLei@Example.com",
    }
    found = await pushed_to().fetch(Ref(locator={"user": LILEI}))
    assert found == Author(id=LILEI, name="李雷", phone="+8613800138000", email="lilei@example.com")
    with pytest.raises(Rejected, match="may not see this person"):
        await pushed_to().fetch(Ref(locator={"user": "ou_outsider"}))


async def test_merged_messages(pushed_to: Make, feishu: FeishuServer) -> None:
    item = feishu.say("", kind="merge_forward", content="Merged and Forwarded Message")
    inner: list[dict[str, Any]] = [
        {
            "message_id": "om_a",
            "msg_type": "text",
            "create_time": "1767225600000",
            "sender": {"id": LILEI},
            "body": {"content": '{"text":"@_user_1 什么时候退款"}'},
            "mentions": [{"key": "@_user_1", "id": "ou_2", "name": "韩梅梅"}],
        },
        {"message_id": "om_b", "msg_type": "image", "create_time": "1767225660000", "body": {"content": "{}"}},
        {"message_id": "om_c", "msg_type": "text", "body": {"content": "no JSON"}},
    ]
    feishu.merged[item["message_id"]] = inner
    fetched = await pushed_to().fetch(Ref(locator={"merged": item["message_id"]}))
    assert isinstance(fetched, Media)
    assert fetched.media_type == "text/plain"
    assert fetched.content.decode().splitlines() == [
        f"2026-01-01 00:00:00 UTC {LILEI}: @韩梅梅 什么时候退款",
        "2026-01-01 00:01:00 UTC: [图片]",
        ":",
    ]


def address(item: dict[str, Any]) -> Address:
    at = datetime(2026, 11, 22, 4, tzinfo=UTC)
    return Address(
        to=Author(id=LILEI),
        message=item["message_id"],
        said_at=at,
        reference="ALE-7K3M-Q9TX-4RWD",
        at=at,
        language="zh",
    )


async def test_an_answer(pushed_to: Make, feishu: FeishuServer) -> None:
    item = feishu.say("退款")
    text = '已受理，编号 ALE-7K3M-Q9TX-4RWD。\n"请保留"'
    await pushed_to().reply(address(item), text, "REPLY-1")
    await pushed_to().reply(address(item), text, "REPLY-1")
    (sent,) = feishu.replies
    assert sent == {
        "message": item["message_id"],
        "msg_type": "text",
        "content": '{"text":"已受理，编号 ALE-7K3M-Q9TX-4RWD。\\n\\"请保留\\""}',
        "uuid": "REPLY-1",
    }


async def test_a_lost_answer_is_asked_for_again_at_once(pushed_to: Make, feishu: FeishuServer) -> None:
    feishu.lost_answers = 1
    await pushed_to().reply(address(feishu.say("退款")), "已受理", "R" * 70)
    assert len(feishu.replies) == 1
    feishu.lost_answers = 9
    with pytest.raises(InDoubt):
        await pushed_to().reply(address(feishu.say("退款")), "已受理", "OTHER")
    assert len(feishu.replies) == 2


async def test_answers_that_come_too_late_or_are_refused(pushed_to: Make, feishu: FeishuServer) -> None:
    item = feishu.say("退款")
    feishu.recall(item)
    with pytest.raises(Void):
        await pushed_to().reply(address(item), "已受理", "A")
    other = feishu.say("退款")
    feishu.faults.append(refuse(230013, "Bot has NO availability to this user."))
    with pytest.raises(Void):
        await pushed_to().reply(address(other), "已受理", "B")
    feishu.faults.append(refuse(230022, "The content of the message contains sensitive information."))
    with pytest.raises(Rejected, match="230022"):
        await pushed_to().reply(address(other), "已受理", "C")
    feishu.faults.append(refuse(230020, "This operation triggers the frequency limit."))
    with pytest.raises(RetryLater):
        await pushed_to().reply(address(other), "已受理", "D")
    feishu.faults.append(refuse(99991672, "Access denied. One of the following scopes is required: [im:message]"))
    with pytest.raises(ConfigError, match="permission"):
        await pushed_to().reply(address(other), "已受理", "E")
    assert feishu.replies == []


async def test_check_says_who_we_are(pushed_to: Make, feishu: FeishuServer) -> None:
    identity = await pushed_to().check()
    assert identity.account == "客诉助手 (cli_a1b2c3d4e5f6a7b8)"
    assert identity.details == (f"bot_open_id {BOT}", "in 1 groups")


async def test_check_with_a_wrong_secret(pushed_to: Make, feishu: FeishuServer) -> None:
    with pytest.raises(AuthError, match="app_id and app_secret") as caught:
        await pushed_to(app_secret="wrong-s3cret").check()
    assert "wrong-s3cret" not in f"{caught.value!r} {caught.value.detail}"
    assert APP_SECRET not in repr(pushed_to().settings)
