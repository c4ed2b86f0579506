"""The door of a callback address: vectors accepted, everything tampered with refused, nothing hostile read."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto

from allears_sdk.connector import Reception, Request
from allears_sdk.signing import OutsideWindow
from connectors._wechat.callback import Door, Refused
from connectors._wechat.crypto import Envelope, Unreadable, key_of, signature
from connectors._wechat.fields import Hostile, read, write_xml
from tests.connectors._wechat import vectors
from tests.connectors._wechat.pushing import make_request, make_xml
from tests.connectors._wechat.vectors import AES_KEY, APP_ID, CORP_ID, NONCE, TIMESTAMP, TOKEN

WINDOW = timedelta(minutes=10)
LOL = '<!DOCTYPE xml [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><xml><Content>&b;</Content></xml>'
OUTSIDE = '<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><Content>&x;</Content></xml>'


def door(*, receiver: str = APP_ID, is_plain: bool = False, is_echo_sealed: bool = False) -> Door:
    envelope = None if is_plain else Envelope(AES_KEY, receiver)
    return Door(TOKEN, envelope, tolerance=WINDOW, is_echo_sealed=is_echo_sealed)


def sealed_request(sealed: str, given: str, *, timestamp: str = TIMESTAMP, nonce: str = NONCE) -> Request:
    body = f"<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    query = {"msg_signature": given, "timestamp": timestamp, "nonce": nonce, "encrypt_type": "aes"}
    return make_request(query=query, body=body.encode(), at=vectors.AT)


def plain_request(body: bytes = b"<xml/>", change: Mapping[str, str] | None = None) -> Request:
    query = {"signature": vectors.PLAIN_SIGNATURE, "timestamp": TIMESTAMP, "nonce": NONCE, **(change or {})}
    return make_request(query=query, body=body, at=vectors.AT)


def test_the_vectors_of_signature_key_and_envelope() -> None:
    assert signature(TOKEN, TIMESTAMP, NONCE) == vectors.PLAIN_SIGNATURE
    assert signature(TOKEN, TIMESTAMP, NONCE, vectors.TEXT_SEALED) == vectors.TEXT_SIGNATURE
    assert key_of(AES_KEY).hex() == vectors.AES_KEY_HEX
    envelope = Envelope(AES_KEY, APP_ID)
    assert envelope.open(vectors.TEXT_SEALED).decode() == vectors.TEXT_XML
    assert envelope.seal(vectors.TEXT_XML.encode(), vectors.RANDOM) == vectors.TEXT_SEALED
    work = Envelope(AES_KEY, CORP_ID)
    assert work.open(vectors.KF_SEALED).decode() == vectors.KF_XML
    assert work.seal(vectors.KF_XML.encode(), vectors.RANDOM) == vectors.KF_SEALED
    assert work.open(vectors.ECHO_SEALED) == vectors.ECHO.encode()


def test_a_message_of_each_world_comes_through() -> None:
    official = sealed_request(vectors.TEXT_SEALED, vectors.TEXT_SIGNATURE)
    assert door().open(official).decode() == vectors.TEXT_XML
    work = sealed_request(vectors.KF_SEALED, vectors.KF_SIGNATURE)
    assert door(receiver=CORP_ID).open(work).decode() == vectors.KF_XML
    assert door(is_plain=True).open(plain_request(b"<xml><A>1</A></xml>")) == b"<xml><A>1</A></xml>"


@pytest.mark.parametrize("is_double_decoded", [False, True])
def test_the_console_checks_the_address(is_double_decoded: bool) -> None:
    echo = vectors.ECHO_SEALED.replace("+", " ") if is_double_decoded else vectors.ECHO_SEALED
    signed = signature(TOKEN, TIMESTAMP, NONCE, vectors.ECHO_SEALED)
    query = {"msg_signature": signed, "timestamp": TIMESTAMP, "nonce": NONCE, "echostr": echo}
    request = make_request("GET", query, at=vectors.AT)
    assert request.parameter("msg_signature") == vectors.ECHO_SIGNATURE
    assert door(receiver=CORP_ID, is_echo_sealed=True).echo(request) == vectors.ECHO.encode()


@pytest.mark.parametrize("is_plain", [False, True])
def test_the_console_of_an_account_checks_in_clear_in_every_mode(is_plain: bool) -> None:
    query = {"signature": vectors.PLAIN_SIGNATURE, "timestamp": TIMESTAMP, "nonce": NONCE, "echostr": "5837"}
    reception = door(is_plain=is_plain).pass_through(make_request("GET", query, at=vectors.AT), _never)
    answer = reception.answer(())
    assert (answer.status, answer.body, answer.media_type) == (200, b"5837", "text/plain; charset=utf-8")
    assert answer.headers["X-Content-Type-Options"] == "nosniff", "a stranger's echo is no page"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": "0" * 40}, "wrong signature"),
        ({"signature": ""}, "not signed"),
        ({"signature": "é" * 40}, "wrong signature"),
        ({"nonce": "1320562133"}, "wrong signature"),
        ({"nonce": ""}, "not signed"),
        ({"timestamp": "1767225601"}, "wrong signature"),
        ({"timestamp": "soon", "signature": signature(TOKEN, "soon", NONCE)}, "not Unix seconds"),
        ({"timestamp": "9" * 30, "signature": signature(TOKEN, "9" * 30, NONCE)}, "not Unix seconds"),
        ({"msg_signature": "0" * 40}, "plain mode"),
    ],
)
def test_a_plain_request_that_was_tampered_with(change: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        door(is_plain=True).open(plain_request(change=change))


@pytest.mark.parametrize(("timestamp", "is_good"), [(-601, False), (-600, True), (600, True), (601, False)])
def test_a_good_signature_of_another_time(timestamp: int, is_good: bool) -> None:
    """Passed on: the house tells a replay from a wrong clock."""
    at = str(int(TIMESTAMP) + timestamp)
    request = plain_request(change={"timestamp": at, "signature": signature(TOKEN, at, NONCE)})
    with contextlib.nullcontext() if is_good else pytest.raises(OutsideWindow):
        door(is_plain=True).pass_through(request, lambda body: Reception())


def test_a_parameter_given_twice_counts_as_none() -> None:
    good = plain_request()
    doubled = make_request(body=good.body, at=vectors.AT)
    query = (*good.query, ("signature", "0" * 40))
    request = Request(
        method="POST", path="", query=query, headers=(), body=good.body, remote_address="192.0.2.1",
        received_at=doubled.received_at,
    )  # fmt: skip
    with pytest.raises(Refused, match="not signed"):
        door(is_plain=True).open(request)


@pytest.mark.parametrize("at", range(0, 320, 37))
def test_a_changed_letter_of_the_cipher_text_is_refused(at: int) -> None:
    letter = "A" if vectors.TEXT_SEALED[at] != "A" else "B"
    sealed = vectors.TEXT_SEALED[:at] + letter + vectors.TEXT_SEALED[at + 1 :]
    with pytest.raises(Refused, match="wrong signature"):
        door().open(sealed_request(sealed, vectors.TEXT_SIGNATURE))


@pytest.mark.parametrize(
    ("sealed", "reason"),
    [
        ("not base64!", "not base64"),
        (base64.b64encode(b"x" * 17).decode(), "not whole blocks"),
        (base64.b64encode(b"x" * 64).decode(), "wrong padding|cut short|another receiver"),
        (Envelope(AES_KEY, "wx00000000000000ff").seal(b"<xml/>", vectors.RANDOM), "another receiver"),
        (Envelope(AES_KEY, "").seal(b"<xml/>", vectors.RANDOM), "another receiver"),
    ],
)
def test_what_is_signed_but_not_for_us(sealed: str, reason: str) -> None:
    request = sealed_request(sealed, signature(TOKEN, TIMESTAMP, NONCE, sealed))
    with pytest.raises(Refused, match=f"cannot be decrypted.*({reason})") as caught:
        door().open(request)
    assert caught.value.status == 400


def test_no_way_down_from_encrypted_to_plain() -> None:
    with pytest.raises(Refused, match="takes encrypted messages only"):
        door().open(plain_request(vectors.TEXT_XML.encode()))


@pytest.mark.parametrize("bad", [LOL, OUTSIDE, "<xml>" * 9 + "</xml>" * 9, "<xml>" + "<a/>" * 2001 + "</xml>"])
@pytest.mark.parametrize("is_plain", [False, True])
def test_hostile_xml_is_refused(bad: str, is_plain: bool) -> None:
    query = {} if is_plain else {"msg_signature": "0" * 40}
    with pytest.raises(Refused, match=r"document type|too many elements") as caught:
        door(is_plain=is_plain).open(plain_request(bad.encode(), query))
    assert caught.value.status == 400


def test_what_a_signed_request_carries_is_kept_even_when_it_cannot_be_read() -> None:
    broken = "<xml><Content>坏了".encode("gbk")
    assert door(is_plain=True).open(plain_request(broken)) == broken


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "X" * 200])
def test_other_methods(method: str) -> None:
    reception = door().pass_through(make_request(method), _never)
    assert reception.answer(()).status == 405
    assert len(reception.refused) < 30


def test_a_refusal_says_nothing_to_whoever_asked() -> None:
    reception = door().pass_through(plain_request(), _never)
    answer = reception.answer(())
    assert (answer.status, answer.body, bool(reception.refused)) == (401, b"", True)


def test_wechatpy_opens_what_we_seal() -> None:
    sealed = door().seal("<xml>你好😡</xml>".encode(), nonce="77", timestamp=1767225601)
    fields = read(sealed)
    opened = WeChatCrypto(TOKEN, AES_KEY, APP_ID).decrypt_message(
        sealed.decode(), fields.word("MsgSignature"), fields.word("TimeStamp"), fields.word("Nonce")
    )
    assert opened == "<xml>你好😡</xml>"
    assert sealed == door().seal("<xml>你好😡</xml>".encode(), nonce="77", timestamp=1767225601)
    assert sealed != door().seal("<xml>你好！</xml>".encode(), nonce="77", timestamp=1767225601)


def test_json_is_answered_as_json() -> None:
    fields = read(door().seal(b'{"MsgType":"text"}', nonce="77", timestamp=1767225601))
    assert fields.word("TimeStamp") == "1767225601"
    assert Envelope(AES_KEY, APP_ID).open(fields.word("Encrypt")) == b'{"MsgType":"text"}'


@pytest.mark.parametrize("key", ["", "a" * 42, "a" * 44, "a" * 42 + "=", "密" * 43])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="43 letters") as caught:
        key_of(key)
    assert not key or key not in str(caught.value)


@given(st.binary(max_size=400), st.binary(min_size=16, max_size=16))
def test_what_was_sealed_is_opened(message: bytes, random: bytes) -> None:
    envelope = Envelope(AES_KEY, APP_ID)
    assert envelope.open(envelope.seal(message, random)) == message


NAMES = ("signature", "msg_signature", "timestamp", "nonce", "echostr", "encrypt_type")
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@given(
    method=st.sampled_from(["GET", "POST"]),
    query=st.dictionaries(st.sampled_from(NAMES), st.one_of(st.just(TIMESTAMP), ANY_TEXT)),
    body=st.one_of(st.binary(max_size=80), st.text(max_size=30).map(lambda text: write_xml({"Encrypt": text}))),
    is_signed=st.booleans(),
    is_plain=st.booleans(),
)
def test_whatever_a_stranger_sends_is_refused(
    method: str, query: dict[str, str], body: bytes, is_signed: bool, is_plain: bool
) -> None:
    """Signed by chance never; with the token in hand at most unreadable."""
    if is_signed:
        query |= {"timestamp": TIMESTAMP, "nonce": NONCE, "signature": vectors.PLAIN_SIGNATURE}
    request = make_request(method, query, body=body, at=vectors.AT)
    reception = door(is_plain=is_plain).pass_through(request, lambda message: Reception(refused=f"kept {message!r}"))
    is_echo = is_signed and method == "GET" and bool(query.get("echostr"))
    assert not is_echo or reception.answer(()).status == 200
    assert bool(reception.refused) is not is_echo


@given(st.binary(max_size=200))
def test_any_bytes_are_opened_or_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Envelope(AES_KEY, APP_ID).open(base64.b64encode(data).decode())


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_unreadable(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        read(body)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Za-z]{0,9}", fullmatch=True), st.text(), min_size=1, max_size=5))
def test_what_is_written_is_read(values: dict[str, str]) -> None:
    legal = {
        name: "".join(letter for letter in text if letter.isprintable() or letter == "\n")
        for name, text in values.items()
    }
    fields = read(write_xml(legal))
    assert {name: fields.text(name) for name in legal} == legal


def test_fields_never_fail() -> None:
    fields = read(make_xml(A="1", B={"C": "x", "D": "y"}, E="]]>&lt;").encode().replace(b"<A>", b"<A>0</A><A>", 1))
    assert fields.text("A") == "", "a field that is there twice counts as none"
    assert fields.inner("B").word("C") == "x"
    assert fields.inner("A").word("C") == ""
    assert fields.text("E") == "]]>&lt;"
    assert [one.word("D") for one in fields.each("B")] == ["y"]
    assert "A" in fields and "Z" not in fields


def test_numbers_beyond_2_53_stay_whole() -> None:
    assert read(b'{"MsgId": 24681357908642136, "Ok": true}').text("MsgId") == "24681357908642136"
    assert read(b'{"Ok": true}').text("Ok") == ""


@pytest.mark.parametrize("encoding", ["foo", "base64", "hex", "idna", "undefined", "utf-16", "gbk"])
def test_a_declared_encoding_changes_nothing(encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?><xml><A>坏了</A></xml>'
    assert read(body.encode()).text("A") == "坏了"
    with pytest.raises(ValueError, match="not XML"):
        read(body.encode("gbk"))


def test_deep_json_is_hostile() -> None:
    with pytest.raises(ValueError):
        read(b'{"a":' * 5000 + b"1" + b"}" * 5000)


def test_a_doctype_is_hostile_to_the_reader_too() -> None:
    with pytest.raises(Hostile):
        read(LOL.encode())


def _never(body: bytes) -> Reception:
    raise AssertionError("nothing may be stored")
