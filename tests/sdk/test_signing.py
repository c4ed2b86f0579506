from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from allears_sdk.signing import (
    BadSignature,
    OutsideWindow,
    hmac_base64,
    hmac_hex,
    same,
    sha256_hex,
    sign_standard,
    verify_standard,
)

FIRST = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECOND = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = (
    '{"specversion":"1.0","id":"ALE-01J9ABCDEF:1","source":"urn:allears:demo","type":"complaint.created.v1",'
    '"time":"2026-11-22T03:59:42Z","datacontenttype":"application/json","data":{"complaint_id":"ALE-01J9ABCDEF",'
    '"channel":"google_play","priority":"P2","description":"屏幕破裂，要求换货"}}'
).encode()
VECTORS = [
    (
        FIRST,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (SECOND, "ALE-01J9ABCDEF:1", 1795319982, BODY, "v1,n9q0hVF7yN88Hx39G0ppIB74nP1JGB45oFQstjTSOCc="),
]


def verify(
    body: bytes,
    *,
    secrets: tuple[str, ...] = (SECOND,),
    webhook_id: str = "ALE-01J9ABCDEF:1",
    timestamp: str = "1795319982",
    signature: str = VECTORS[1][4],
) -> None:
    now = datetime.fromtimestamp(1795319982, UTC) + timedelta(seconds=20)
    verify_standard(secrets, webhook_id=webhook_id, timestamp=timestamp, signature=signature, body=body, now=now)


@pytest.mark.parametrize(("secret", "webhook_id", "timestamp", "body", "expected"), VECTORS, ids=["ascii", "utf8"])
def test_published_vectors(secret: str, webhook_id: str, timestamp: int, body: bytes, expected: str) -> None:
    assert sign_standard([secret], webhook_id, timestamp, body) == expected
    now = datetime.fromtimestamp(timestamp, UTC)
    verify_standard([secret], webhook_id=webhook_id, timestamp=str(timestamp), signature=expected, body=body, now=now)


def test_vector_body_is_the_documented_one() -> None:
    assert len(BODY) == 295
    assert sha256_hex(BODY) == "5ee09bda4c5d55b9eb5e1fb773bc588ed1a99c3aaec34916ca61a55cf3853359"


def test_the_official_library_accepts_what_we_sign() -> None:
    now = datetime.now(UTC)
    timestamp = int(now.timestamp())
    headers = {
        "webhook-id": "ALE-7K3M-Q9TX-4RWD-AB12CD",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_standard([SECOND], "ALE-7K3M-Q9TX-4RWD-AB12CD", timestamp, BODY),
    }
    assert Webhook(SECOND).verify(BODY.decode(), headers)["specversion"] == "1.0"


def test_rotation_signs_with_both_and_either_verifies() -> None:
    signature = sign_standard([FIRST, SECOND], "ALE-01J9ABCDEF:1", 1795319982, BODY)
    assert signature.count("v1,") == 2
    verify(BODY, secrets=(FIRST,), signature=signature)
    verify(BODY, secrets=(SECOND,), signature=signature)
    verify(BODY, secrets=(FIRST, SECOND), signature=signature.split(" ")[1])


@pytest.mark.parametrize("webhook_id", ["ALE-01J9ABCDEF:2", "ALE-01J9ABCDEF.1", "", "工单"])
def test_another_id_is_refused(webhook_id: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, webhook_id=webhook_id)


@pytest.mark.parametrize(
    "timestamp", ["1795319983", "1795319982.0", "１７９５３１９９８２", "", "-1795319982", "9" * 12]
)
def test_another_time_is_refused(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, timestamp=timestamp)


@pytest.mark.parametrize("prefix", ["", "v1a,", "v2,"])
def test_another_version_is_refused(prefix: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signature=VECTORS[1][4].replace("v1,", prefix))


@pytest.mark.parametrize("signature", ["", "v1,", "签名"])
def test_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify(BODY, signature=signature)


def test_a_changed_body_or_secret_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(BODY + b"\n")
    with pytest.raises(BadSignature):
        verify(BODY, secrets=(FIRST,))
    with pytest.raises(BadSignature):
        verify(BODY, secrets=())


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_good_signature_outside_the_window_says_so(seconds: int) -> None:
    _, webhook_id, timestamp, body, signature = VECTORS[1]
    now = datetime.fromtimestamp(timestamp + seconds, UTC)
    with pytest.raises(OutsideWindow, match="301 s"):
        verify_standard(
            [SECOND], webhook_id=webhook_id, timestamp=str(timestamp), signature=signature, body=body, now=now
        )


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", "密钥", "whsec_" + "A" * 100])
def test_a_bad_secret_is_an_error_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret") as caught:
        sign_standard([secret], "id", 1, b"")
    assert secret.removeprefix("whsec_") not in str(caught.value) or secret == "whsec_"


def test_hmac_helpers_agree_with_rfc_4231() -> None:
    assert hmac_hex("Jefe", "what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert hmac_base64("Jefe", b"what do ya want for nothing?") == "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    assert hmac_hex("Jefe", "what do ya want for nothing?", "sha1") == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


def test_same_compares_text_and_bytes_of_any_script() -> None:
    assert same("签名", "签名".encode())
    assert not same("签名", "签字")
    assert not same("abc", b"abcd")
