"""Who may post: the signature vectors of a dozen platforms, accepted and tampered with; secrets; what cannot be set."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from allears_sdk.connector import Request
from allears_sdk.signing import OutsideWindow
from connectors.webhook.auth import AuthSettings
from connectors.webhook.gate import Gate
from tests.connectors.webhook.conftest import NOW, post, ready

TS = "1750000000"
STAMPED = {"signed": "{timestamp}.{body}"}
SMS_URL = "https://hooks.example.com/twilio/sms?tenant=a"
SMS = [
    ("MessageSid", "SM00000000000000000000000000000001"),
    ("From", "+8613800000000"),
    ("To", "+18005550100"),
    ("Body", "退款 — refund"),
    ("NumMedia", "0"),
    ("OptOutType", ""),
]


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A request as the fact sheets have it, and the settings that verify it."""

    auth: dict[str, Any]
    body: str
    signature: str
    headers: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    media_type: str = "application/json"
    now: datetime = NOW

    def request(self) -> Request:
        kind, _, name = self.auth.get("place", "header:X-Twilio-Signature").partition(":")
        headers = {**self.headers, **({name: self.signature} if kind == "header" else {})}
        made = post(self.body, headers=headers, query=self.query, media_type=self.media_type)
        return Request(**{**{key: getattr(made, key) for key in made.__struct_fields__}, "received_at": self.now})

    def gate(self, **changes: Any) -> Gate:
        return Gate(AuthSettings.model_validate({**self.auth, **changes}))


def by_hmac(secret: str, header: str, **more: Any) -> dict[str, Any]:
    return {"method": "hmac", "secrets": [secret], "place": f"header:{header}", **more}


VECTORS = {
    "V1 slack": Vector(
        auth=by_hmac(
            "slack-signing-secret-01",
            "X-Slack-Signature",
            prefix="v0=",
            signed="v0:{timestamp}:{body}",
            timestamp="header:X-Slack-Request-Timestamp",
        ),
        headers={"X-Slack-Request-Timestamp": TS},
        body='{"type":"event_callback","event_id":"Ev0TEST0001","event":{"type":"message","text":"退款"}}',
        signature="v0=db465df184238e1e3d0d4b77712d75b941bd62be29eee4aec8f1dee016e7b213",
    ),
    "V2 meta": Vector(
        auth=by_hmac("meta-app-secret-01", "X-Hub-Signature-256", prefix="sha256="),
        body='{"object":"page","entry":[{"id":"1001","time":1750000000,"changes":[{"field":"feed","value":'
        '{"item":"comment","verb":"add","message":"\\u9000\\u6b3e"}}]}]}',
        signature="sha256=d53702db6b1b8a09bebd436079ed0f2aac80052ccfef26b744f903d36417a01a",
    ),
    "V2b meta, legacy": Vector(
        auth=by_hmac("meta-app-secret-01", "X-Hub-Signature", prefix="sha1=", algorithm="sha1"),
        body='{"object":"page","entry":[{"id":"1001","time":1750000000,"changes":[{"field":"feed","value":'
        '{"item":"comment","verb":"add","message":"\\u9000\\u6b3e"}}]}]}',
        signature="sha1=32ee25c455ff07c9862d8773b000f713e3a67b73",
    ),
    "V4 line": Vector(
        auth=by_hmac("line-channel-secret-01", "X-Line-Signature", encoding="base64"),
        body='{"destination":"U00000000000000000000000000000001","events":[]}',
        signature="gb7kyPO5HQGuxobI7F5WqGpdl1TqHzs10Z3a9dP5tlg=",
    ),
    "V6 x": Vector(
        auth=by_hmac("x-consumer-secret-01", "X-Twitter-Webhooks-Signature", encoding="base64", prefix="sha256="),
        body='{"for_user_id":"42","tweet_create_events":[{"id_str":"1"}]}',
        signature="sha256=8BRDp9kxGx+qDxLLYrqWsaO0NyqexbPuhAHylz/7UfM=",
    ),
    "V8 linkedin": Vector(
        auth=by_hmac("li-client-secret-01", "X-LI-Signature", signed="hmacsha256={body}"),
        body='{"type":"ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS","notifications":[]}',
        signature="1495237511df49468bc9d8d16db6e0c5c0de16758db81b45a4382a94cc75be61",
    ),
    "V9 chatwoot": Vector(
        auth=by_hmac(
            "chatwoot-secret-01",
            "X-Chatwoot-Signature",
            prefix="sha256=",
            timestamp="header:X-Chatwoot-Timestamp",
            **STAMPED,
        ),
        headers={"X-Chatwoot-Timestamp": TS},
        body='{"event":"message_created","id":7}',
        signature="sha256=532dddba8a2e14597ff246109f275bcb03655093f437145ee44ffe34df0f9b75",
    ),
    "V10 intercom": Vector(
        auth=by_hmac("intercom-client-secret-01", "X-Hub-Signature", prefix="sha1=", algorithm="sha1"),
        body='{"type":"notification_event","id":"notif_test_1","topic":"ping"}',
        signature="sha1=7cfb1e534a56ff6c2cfffaa9607f94869d625c1d",
    ),
    "V11 tawk": Vector(
        auth=by_hmac("tawk-secret-01", "X-Tawk-Signature", algorithm="sha1"),
        body='{"event":"ticket:create","time":"2025-06-15T15:06:40.000Z"}',
        signature="aae737a638b1626eefefadead1a1e11522633495",
    ),
    "V12 twilio, form": Vector(
        auth={"method": "twilio", "secrets": ["twilio-auth-token-01"], "url": SMS_URL},
        body=urlencode(SMS),
        media_type="application/x-www-form-urlencoded",
        signature="e0qzWrDLP986lTnZVWqf5JKJAZo=",
    ),
    "V13 twilio, json": Vector(
        auth={
            "method": "twilio",
            "secrets": ["twilio-auth-token-01"],
            "url": "https://hooks.example.com/twilio/evt",
        },
        body='{"a":1}',
        query=[("bodySHA256", "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862")],
        signature="X+xipRxucHc18+rMZ3peSe936jc=",
    ),
    "V14 typeform": Vector(
        auth=by_hmac("typeform-secret-01", "Typeform-Signature", encoding="base64", prefix="sha256="),
        body='{"event_id":"01TEST","event_type":"form_response"}',
        signature="sha256=bY5B55mcMVORbXqUITsZpSEw98/avHQkq4CRpUh4n+0=",
    ),
    "V15 tally": Vector(
        auth=by_hmac("tally-secret-01", "Tally-Signature", encoding="base64"),
        body='{"eventId":"ev-1","eventType":"FORM_RESPONSE"}',
        signature="iOUUJuhrgK3c4XI1VqWWHYO0n7g7s4IJy8zBIjIAbq8=",
    ),
    "V16 teams": Vector(
        auth=by_hmac(
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "Authorization",
            encoding="base64",
            key_encoding="base64",
            prefix="HMAC ",
        ),
        body='{"type":"message","id":"1750000000000","text":"<at>complaints</at> hi"}',
        signature="HMAC ehHg4MsxicCdI4kmc2F9AgrjW3WN1Dmp1LeDBlJZD4I=",
    ),
    "V18 ours": Vector(
        auth=by_hmac("hotline-secret-01", "X-Signature", prefix="sha256=", timestamp="header:X-Timestamp", **STAMPED),
        headers={"X-Timestamp": TS},
        body='{"call_id":"c-1","event":"call.ended"}',
        signature="sha256=9931bd00ab10f605230d7f8eae78b9f252c3134d82fb08542eb50bd0bd4a2a3c",
    ),
    "简道云": Vector(
        auth={
            "method": "digest",
            "secrets": ["jdySecret"],
            "algorithm": "sha1",
            "place": "header:X-JDY-Signature",
            "signed": "{parameter:nonce}:{body}:{secret}:{timestamp}",
            "timestamp": "parameter:timestamp",
        },
        query=[("timestamp", "1767225600"), ("nonce", "0f5ade")],
        body='{"op":"data_create"}',
        signature="eec1d6114df469e82c2a1c4f2cbe84496a033059",
        now=datetime.fromtimestamp(1_767_225_600, UTC),
    ),
    "问卷星": Vector(
        auth={
            "method": "digest",
            "secrets": ["pushKey"],
            "algorithm": "sha1",
            "place": "field:$.sign",
            "signed": "{field:$.activity}{field:$.index}{secret}",
        },
        body='{"activity":5657754,"index":12,"q1":"发货太慢","sign":"@@"}',
        signature="3181f6da1adfeb6850a0101f7a39d8224139da5a",
    ),
}
WJX = "问卷星"
VECTORS[WJX] = replace(
    VECTORS[WJX],
    body=VECTORS[WJX].body.replace("@@", VECTORS[WJX].signature),
)


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_are_accepted(name: str) -> None:
    assert VECTORS[name].gate().fault(VECTORS[name].request()) == ""


@pytest.mark.parametrize("name", VECTORS)
def test_tampered_vectors_are_refused(name: str) -> None:
    vector = VECTORS[name]
    other_key = base64.b64encode(b"another-secret-altogether-0123456").decode()
    tampered = [
        replace(vector, signature=""),
        replace(vector, signature="签名"),
        replace(vector, signature=vector.signature[:-2]),
        replace(vector, signature=vector.signature.upper().lower() + "0"),
    ]
    if name == WJX:
        tampered = [
            replace(vector, body=vector.body.replace("12", "13")),
            replace(vector, body=vector.body.replace('"sign"', '"design"')),
            replace(vector, body="{"),
        ]
    else:
        tampered += [
            replace(vector, body=vector.body + " "),
            replace(vector, body=vector.body[:-1] + "\u200b" + vector.body[-1]),
        ]
    assert {one.gate().fault(one.request()) for one in tampered} == {"bad signature"}
    assert vector.gate(secrets=[other_key]).fault(vector.request()) == "bad signature"
    assert vector.gate(secrets=[other_key, *vector.auth["secrets"]]).fault(vector.request()) == "", "rotation"


def test_a_body_written_anew_is_another_one() -> None:
    """V2c: parsed, and dumped with real characters."""
    vector = VECTORS["V2 meta"]
    anew = vector.body.replace("\\u9000\\u6b3e", "退款")
    assert vector.gate().fault(replace(vector, body=anew).request()) == "bad signature"


def test_twilio_signs_blank_fields_too() -> None:
    """V12b: what a proxy drops is missed."""
    vector = VECTORS["V12 twilio, form"]
    without = replace(vector, body=urlencode(SMS[:-1]))
    assert without.gate().fault(without.request()) == "bad signature"
    blank = replace(vector, signature="Jr1RmLffYlJMvGdHTvl63q84GxU=")
    assert blank.gate().fault(blank.request()) == "bad signature"


def test_twilios_address_with_and_without_its_port() -> None:
    vector = VECTORS["V12 twilio, form"]
    with_port = SMS_URL.replace("example.com", "example.com:443")
    assert vector.gate(url=with_port).fault(vector.request()) == ""
    assert vector.gate(url=SMS_URL.replace("https", "http")).fault(vector.request()) == "bad signature"


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 365])
@pytest.mark.parametrize("name", ["V1 slack", "V9 chatwoot", "V18 ours", "简道云"])
def test_an_old_or_early_request_is_a_replay(name: str, minutes: int) -> None:
    vector = VECTORS[name]
    late = replace(vector, now=vector.now + timedelta(minutes=minutes))
    with pytest.raises(OutsideWindow):
        late.gate().fault(late.request())


def test_times_that_are_none() -> None:
    for odd in ("", "now", "-5", "1.75e9", "１７５００００００００", "9" * 400):
        vector = replace(VECTORS["V18 ours"], headers={"X-Timestamp": odd})
        assert vector.gate().fault(vector.request())


def test_two_different_headers_of_one_name_are_none() -> None:
    vector = VECTORS["V14 typeform"]
    request = vector.request()
    doubled = [*request.headers, ("typeform-signature", "sha256=other")]
    again = Request(**{**{key: getattr(request, key) for key in request.__struct_fields__}, "headers": doubled})
    assert vector.gate().fault(again) == "bad signature"


def test_standard_webhooks_as_its_own_library_signs() -> None:
    secret, body = "whsec_" + base64.b64encode(b"k" * 32).decode(), '{"text": "退款"}'
    gate = Gate(AuthSettings.model_validate({"method": "standard", "secrets": [secret]}))
    signature = Webhook(secret).sign("msg_1", NOW, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": TS, "webhook-signature": signature}
    assert gate.fault(post(body, headers=headers)) == ""
    assert gate.fault(post(body + " ", headers=headers)) == "bad signature"
    assert gate.fault(post(body, headers={**headers, "webhook-id": "msg_2"})) == "bad signature"
    assert gate.fault(post(body)) == "bad signature"
    old = {**headers, "webhook-timestamp": "1749999000"}
    old["webhook-signature"] = Webhook(secret).sign("msg_1", NOW - timedelta(seconds=1000), body)
    with pytest.raises(OutsideWindow):
        gate.fault(post(body, headers=old))


@pytest.mark.parametrize(
    ("auth", "good", "bad"),
    [
        (
            {"method": "bearer"},
            {"headers": {"Authorization": "bearer  token-01"}},
            {"headers": {"Authorization": "token-01"}},
        ),
        (
            {"method": "secret", "place": "header:X-Token"},
            {"headers": {"X-Token": "token-01"}},
            {"headers": {"X-Token": "token-0"}},
        ),
        (
            {"method": "secret", "place": "header:X-Token", "prefix": "Key "},
            {"headers": {"X-Token": "Key token-01"}},
            {"headers": {"X-Token": "Key "}},
        ),
        (
            {"method": "secret", "place": "parameter:t"},
            {"query": [("t", "token-01")]},
            {"query": [("t", "token-01"), ("t", "x")]},
        ),
        ({"method": "secret", "place": "path"}, {"path": "/token-01"}, {"path": "/token-01/x"}),
        (
            {"method": "secret", "place": "field:$.a.token"},
            {"body": '{"a":{"token":"token-01"}}'},
            {"body": '{"a":{"token":null}}'},
        ),
        (
            {"method": "basic", "username": "店"},
            {"headers": {"Authorization": "Basic " + base64.b64encode("店:token-01".encode()).decode()}},
            {"headers": {"Authorization": "Basic " + base64.b64encode("别:token-01".encode()).decode()}},
        ),
    ],
    ids=["bearer", "header", "prefix", "parameter", "path", "field", "basic"],
)
def test_secrets(auth: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]) -> None:
    gate = Gate(AuthSettings.model_validate({**auth, "secrets": ["old-secret", "token-01"]}))
    assert gate.fault(post(**{"body": "{}", **good})) == ""
    assert gate.fault(post(**{"body": "{}", **bad})).startswith("bad ")
    assert gate.fault(post("{}", headers={"Authorization": "签"})).startswith("bad ")


def test_networks_are_asked_first() -> None:
    networks = ["192.0.2.0/28", "2001:db8::/32", "203.0.113.9"]
    gate = Gate(AuthSettings.model_validate({"method": "none", "networks": networks}))
    for address in ("192.0.2.7", "2001:db8::1", "203.0.113.9"):
        assert gate.fault(post("{}", address=address)) == ""
    for address in ("192.0.2.77", "2001:db9::1", "", "unix", "::ffff:192.0.2.77"):
        assert "network" in gate.fault(post("{}", address=address))


SECRET = "secret-of-ours"


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({}, "method"),
        ({"method": "hmac", "place": "header:X"}, "needs secrets"),
        ({"method": "none", "secrets": [SECRET]}, "no use for secrets"),
        ({"method": "hmac", "secrets": [SECRET]}, "needs a place"),
        ({"method": "hmac", "secrets": ["short"], "place": "header:X"}, "6 characters"),
        ({"method": "hmac", "secrets": [SECRET], "place": "X-Signature"}, "a place is"),
        ({"method": "hmac", "secrets": [SECRET], "place": "field:sign"}, "begins with"),
        ({"method": "hmac", "secrets": [SECRET], "place": "header:X", "signed": "{bdy}"}, "a place is"),
        ({"method": "hmac", "secrets": [SECRET], "place": "header:X", "signed": "{timestamp}"}, "go together"),
        ({"method": "hmac", "secrets": [SECRET], "place": "header:X", "timestamp": "header:T"}, "go together"),
        ({"method": "hmac", "secrets": ["§" * 9], "place": "header:X", "key_encoding": "base64"}, "base64"),
        ({"method": "digest", "secrets": [SECRET], "place": "header:X"}, "nothing is proved"),
        ({"method": "basic", "secrets": [SECRET]}, "username"),
        ({"method": "standard", "secrets": ["whsec_short"]}, "webhook secret"),
        ({"method": "none", "networks": ["example.com"]}, "IPv4 or IPv6"),
    ],
)
def test_what_would_prove_nothing_cannot_be_set(auth: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AuthSettings.model_validate(auth)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("hotline", "V18 ours"),
        ("wjx", "问卷星"),
        ("jiandaoyun", "简道云"),
        ("typeform", "V14 typeform"),
        ("tally", "V15 tally"),
        ("chatwoot", "V9 chatwoot"),
        ("tawk", "V11 tawk"),
    ],
)
def test_the_printed_channels_accept_their_vectors(channel: str, name: str) -> None:
    vector = VECTORS[name]
    (secret,) = vector.auth["secrets"]
    gate = Gate(ready(channel, secret=secret).auth)
    assert gate.fault(vector.request()) == ""
