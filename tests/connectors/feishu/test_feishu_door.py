"""What is let in: Feishu's own signatures, over the raw bytes, and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from allears_sdk.connector import Answer, Reception, Request
from allears_sdk.signing import OutsideWindow
from allears_sdk.testing import FakeClock
from allears_sdk.testing.context import RecordingLog
from connectors.feishu import FeishuConnector
from connectors.feishu.envelope import Refused, decrypt, open_envelope
from tests.connectors.feishu.conftest import Make
from tests.connectors.feishu.feishu_server import (
    APP_ID,
    BOT,
    ENCRYPT_KEY,
    GROUP,
    TOKEN,
    FeishuServer,
    envelope,
    make_request,
    post,
    received,
    seal,
    sign,
)

VECTOR_KEY = "larkEncryptKey"
VECTOR_BODY = (
    b'{"encrypt":"MDEyMzQ1Njc4OWFiY2RlZvHzDH7M1XtBo9wxTFdOzxnE19TlMvacrknZyyO7S48Dqj8BGqIZITgK9bXjHc1MOZiXYcYTiNnz'
    b'+mbfRkvcB63Z8LdRJiUqrglpIkwma1TZL9DO+uJf394RqBYW2QY46E9I30eMRnwmZ/9j9CnflUg="}'
)
VECTOR_SIGNATURE = "03908cfd202db6e3a81abffdd6894cd7811f251f99af3203e11d65390f81e19e"
VECTOR_CHALLENGE = (
    "MDEyMzQ1Njc4OWFiY2RlZnr6QNaoR3zuKNWCWy0fifaxEatyLtrczK7zZocphHkGtEP3lBv7XwKx+UaBl5bwRde0SkwgdDw3CSTAXbkLp1w="
)
VECTOR_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def vector(clock: FakeClock, **headers: str) -> Request:
    given = {
        "X-Lark-Request-Timestamp": "1767225600",
        "X-Lark-Request-Nonce": "n0nce",
        "X-Lark-Signature": VECTOR_SIGNATURE,
    }
    return make_request(VECTOR_BODY, clock, given | headers)


def answered(reception: Reception) -> Answer:
    return reception.answer([])


def status(reception: Reception) -> tuple[int, str]:
    return answered(reception).status, reception.refused


class TestVectors:
    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(VECTOR_TIME)

    @pytest.fixture
    def door(self, pushed_to: Make) -> FeishuConnector:
        return pushed_to(encrypt_key=VECTOR_KEY, verification_token="vt")

    async def test_the_signed_event(self, door: FeishuConnector, clock: FakeClock, log: RecordingLog) -> None:
        """`im.message.receive_v1` without a message: it is kept, and `parse` refuses it."""
        reception = await door.receive(vector(clock))
        assert status(reception) == (200, "")
        assert [raw.key for raw in reception.raws] == ["event:ev1"]
        assert json.loads(reception.raws[0].body)["header"] == {
            "event_id": "ev1",
            "event_type": "im.message.receive_v1",
        }

    async def test_tampered(self, door: FeishuConnector, clock: FakeClock) -> None:
        good = vector(clock)
        other_body = replace_body(good, VECTOR_BODY.replace(b"Dqj8B", b"Dqj9B"))
        spaces = replace_body(good, VECTOR_BODY.replace(b'":"', b'": "'))
        headers = (
            {"X-Lark-Request-Timestamp": "1767225601"},
            {"X-Lark-Request-Nonce": "n1nce"},
            {"X-Lark-Signature": VECTOR_SIGNATURE.replace("0", "1", 1)},
            {"X-Lark-Signature": VECTOR_SIGNATURE.upper()},
            {"X-Lark-Signature": "签名"},
        )
        for request in (other_body, spaces, *(vector(clock, **one) for one in headers)):
            assert status(await door.receive(request)) == (401, "bad signature")
        assert status(await door.receive(vector(clock, **{"X-Lark-Signature": ""}))) == (401, "not signed")

    async def test_two_different_signatures_count_as_none(self, door: FeishuConnector, clock: FakeClock) -> None:
        good = vector(clock)
        doubled = msgspec.structs.replace(good, headers=[*good.headers, ("x-lark-signature", "0" * 64)])
        assert status(await door.receive(doubled)) == (401, "not signed")

    async def test_the_encrypted_challenge(self, door: FeishuConnector, clock: FakeClock) -> None:
        body = json.dumps({"encrypt": VECTOR_CHALLENGE}).encode()
        reception = await door.receive(make_request(body, clock, {}))
        assert not reception.raws
        assert answered(reception).body == b'{"challenge":"abc"}'
        assert answered(reception).media_type == "application/json"
        assert open_envelope(decrypt(VECTOR_KEY, VECTOR_CHALLENGE)).is_handshake

    async def test_a_challenge_with_another_token(self, pushed_to: Make, clock: FakeClock) -> None:
        door = pushed_to(encrypt_key=VECTOR_KEY, verification_token="another")
        body = json.dumps({"encrypt": VECTOR_CHALLENGE}).encode()
        assert status(await door.receive(make_request(body, clock, {}))) == (401, "the verification token is another")


def replace_body(request: Request, body: bytes) -> Request:
    return msgspec.structs.replace(request, body=body)


async def test_a_message_and_its_redelivery(pushed_to: Make, feishu: FeishuServer, clock: FakeClock) -> None:
    door = pushed_to()
    event = received(feishu.say("三楼空调漏水，报修两天没人来😡"))
    first = await door.receive(post(event, clock))
    clock.advance(6 * 3600 + 300)
    second = await door.receive(post(event, clock))
    assert (
        [raw.key for raw in first.raws] == [raw.key for raw in second.raws] == [event["event"]["message"]["message_id"]]
    )
    assert first.raws[0].digest == second.raws[0].digest
    assert answered(first) == answered(second) == Answer(body=b"{}", media_type="application/json")


async def test_a_redelivery_with_its_first_signature(pushed_to: Make, feishu: FeishuServer, clock: FakeClock) -> None:
    """Feishu does not say whether it signs again: neither way may lose the last of its attempts, 7 hours later."""
    door = pushed_to()
    request = post(received(feishu.say("退款")), clock)
    clock.advance(7 * 3600 + 6 * 60)
    late = msgspec.structs.replace(request, received_at=clock.now())
    assert len((await door.receive(late)).raws) == 1
    clock.advance(3600)
    too_late = msgspec.structs.replace(request, received_at=clock.now())
    with pytest.raises(OutsideWindow):
        await door.receive(too_late)


@pytest.mark.parametrize("age", [-28_801, 28_801])
async def test_outside_the_window(pushed_to: Make, feishu: FeishuServer, clock: FakeClock, age: float) -> None:
    body = json.dumps({"encrypt": seal(json.dumps(received(feishu.say("x"))).encode())}).encode()
    with pytest.raises(OutsideWindow):
        await pushed_to().receive(make_request(body, clock, sign(body, clock, age=age)))


async def test_what_is_not_ours(pushed_to: Make, feishu: FeishuServer, clock: FakeClock) -> None:
    door = pushed_to()
    event = received(feishu.say("退款"))
    other_token = {**event, "header": {**event["header"], "token": "guess"}}
    other_app = {**event, "header": {**event["header"], "app_id": "cli_other"}}
    no_token = {**event, "header": {name: value for name, value in event["header"].items() if name != "token"}}
    plain_challenge = {"challenge": "abc", "token": TOKEN, "type": "url_verification"}
    cases = {
        "the verification token is another": (post(other_token, clock), post(no_token, clock)),
        "an event of another app": (post(other_app, clock),),
        "not signed": (post(event, clock, is_signed=False), make_request(b"x" * 9000, clock, {})),
        "a plain event, though an encrypt_key is set": (
            post(event, clock, key=""),
            post(plain_challenge, clock, key=""),
            signed_plain(event, clock),
        ),
        "bad signature": (post(event, clock, key="another key"),),
    }
    for reason, requests in cases.items():
        for request in requests:
            reception = await door.receive(request)
            assert (reception.refused, answered(reception).status, reception.raws) == (reason, 401, ())


def signed_plain(event: dict[str, Any], clock: FakeClock) -> Request:
    """Correctly signed, and not encrypted: Feishu never does that."""
    body = json.dumps(event).encode()
    return make_request(body, clock, sign(body, clock))


async def test_ciphertext_of_all_kinds_is_refused_in_one_way(pushed_to: Make, clock: FakeClock) -> None:
    """Nobody learns from our answers where it failed."""
    door = pushed_to()
    reasons = set()
    good = seal(b'{"challenge":"abc"}')
    for sealed in (good[:-24], good[:44], "A" * 64, good[:-4] + "AAA=", "!!", "签", good[:-8] + "AAAAAAA="):
        body = json.dumps({"encrypt": sealed}).encode()
        reception = await door.receive(make_request(body, clock, sign(body, clock)))
        assert answered(reception) == Answer(status=401)
        reasons.add(reception.refused)
    assert reasons <= {"cannot be decrypted", "not an event of Feishu"}
    with pytest.raises(Refused):
        decrypt(ENCRYPT_KEY, seal(b"x", key="another"))


async def test_plain_mode_by_token(pushed_to: Make, feishu: FeishuServer, clock: FakeClock) -> None:
    door = pushed_to(encrypt_key=None)
    event = received(feishu.say("退款"))
    assert len((await door.receive(post(event, clock, key=""))).raws) == 1
    forged = {**event, "header": {**event["header"], "token": TOKEN + "x"}}
    assert (await door.receive(post(forged, clock, key=""))).refused == "the verification token is another"
    sealed = await door.receive(post(event, clock))
    assert sealed.refused == "an encrypted event, though no encrypt_key is set"
    challenge = {"challenge": "ajls384kdj", "token": TOKEN, "type": "url_verification"}
    assert answered(await door.receive(post(challenge, clock, key=""))).body == b'{"challenge":"ajls384kdj"}'


async def test_the_token_is_not_kept(pushed_to: Make, feishu: FeishuServer, clock: FakeClock) -> None:
    reception = await pushed_to().receive(post(received(feishu.say("退款")), clock))
    assert TOKEN.encode() not in reception.raws[0].body


async def test_other_events_are_answered_and_told_of_once(pushed_to: Make, clock: FakeClock, log: RecordingLog) -> None:
    door = pushed_to()
    for kind in ("im.message.reaction.created_v1", "im.brand_new_v9", "im.brand_new_v9"):
        reception = await door.receive(post(envelope(kind, {"a": 1}, at="1767225600000"), clock))
        assert status(reception) == (200, "")
        assert not reception.raws
    assert [facts for _, event, facts in log.entries if event == "event_ignored"] == [{"kind": "im.brand_new_v9"}]


async def test_an_event_of_version_1_becomes_a_letter(pushed_to: Make, clock: FakeClock) -> None:
    old = {
        "uuid": "7b7c1d",
        "token": TOKEN,
        "ts": "1502199207.7171419",
        "type": "event_callback",
        "event": {"type": "message", "open_message_id": "om_1", "text": "退款", "app_id": APP_ID},
    }
    (raw,) = (await pushed_to().receive(post(old, clock))).raws
    assert raw.key == "event:7b7c1d"
    assert "version 2.0" in raw.quarantine


async def test_other_methods_paths_and_modes(
    pushed_to: Make, connected: Make, feishu: FeishuServer, clock: FakeClock
) -> None:
    good = post(received(feishu.say("退款")), clock)
    assert status(await pushed_to().receive(msgspec.structs.replace(good, method="GET")))[0] == 405
    assert status(await pushed_to().receive(msgspec.structs.replace(good, path="/x")))[0] == 405
    assert status(await connected().receive(good))[0] == 403


@pytest.mark.parametrize(
    ("groups", "named", "heard"), [("all", False, 1), ("mentions", False, 0), ("mentions", True, 1), ("none", True, 0)]
)
async def test_groups(
    pushed_to: Make, feishu: FeishuServer, clock: FakeClock, groups: str, named: bool, heard: int
) -> None:
    door = pushed_to(groups=groups, bot_open_id=BOT)
    bot = {"key": "@_user_1", "id": {"open_id": BOT, "union_id": "on_1", "user_id": ""}, "name": "客诉助手"}
    event = received(feishu.say("@_user_1 投诉", chat=GROUP), mentions=[bot] if named else [])
    reception = await door.receive(post(event, clock))
    assert (len(reception.raws), answered(reception).status) == (heard, 200)
    alone = await door.receive(post(received(feishu.say("投诉")), clock))
    assert len(alone.raws) == 1


def test_settings_agree(feishu: FeishuServer) -> None:
    with pytest.raises(ValueError, match="verification_token"):
        feishu.settings(mode="webhook")
    with pytest.raises(ValueError, match="bot_open_id"):
        feishu.settings(groups="mentions")
    with pytest.raises(ValueError, match="url"):
        feishu.settings(url="http://open.feishu.cn")


def test_signature_is_plain_concatenation() -> None:
    signed = hashlib.sha256(b"1767225600" + b"n0nce" + VECTOR_KEY.encode() + VECTOR_BODY).hexdigest()
    assert signed == VECTOR_SIGNATURE
