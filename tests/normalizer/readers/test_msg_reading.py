"""Outlook messages in, exact Messages out."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allears_sdk.errors import BadMessage
from allears_sdk.message import OUTLOOK_MSG, Author, Message, Raw
from normalizer import readers
from normalizer.readers.msg import read_msg
from tests.normalizer.readers.outlook import Value, compound_file, message_tree, msg

WANG: dict[int, Value] = {0x0C1A: "王芳", 0x0C1E: "SMTP", 0x0C1F: "wang.fang@example.com"}
"""Sender's name, address type, address."""
X500 = "/O=EXAMPLE/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN=4711-WANG.FANG"
HEADERS = (
    "Microsoft Mail Internet Headers Version 2.0\r\n"
    "Received: from mx.example.net (203.0.113.9) by ex1.example.com;\r\n\tWed, 3 Jun 2026 09:30:02 +0800\r\n"
    "From: =?utf-8?B?546L6Iqz?= <Wang.Fang@Example.com>\r\n"
    "To: <complaints@example.com>, =?gb2312?B?v823/g==?=\r\n <service@example.com>\r\n"
    "Subject: =?utf-8?B?5oqV6K+J?=\r\n"
    "Date: Wed, 3 Jun 2026 09:30:00 +0800\r\n"
    "Message-ID: <CAF4711@mail.example.com>\r\n"
    "In-Reply-To: <ticket-9@example.com>\r\n"
    "References: <root@example.com> <ticket-9@example.com>\r\n"
    "MIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="gone"\r\n'
    "Content-Transfer-Encoding: quoted-printable\r\n"
)


def stored(data: bytes) -> Raw:
    return Raw(key="k", body=data, media_type=OUTLOOK_MSG, received_at=datetime(2026, 6, 3, tzinfo=UTC))


def test_a_mail_from_the_internet_keeps_its_header() -> None:
    message = read_msg(
        msg({0x007D: HEADERS, 0x0037: "投诉：屏幕 / screen", 0x1000: "屏幕碎了\r\n要求退款😡\r\n", **WANG})
    )
    assert message.author == Author(id="wang.fang@example.com", email="wang.fang@example.com", name="王芳")
    assert message.subject == "投诉：屏幕 / screen"
    assert message.text == "屏幕碎了\n要求退款😡"
    assert message.known_as == ("CAF4711@mail.example.com",)
    assert message.thread == ("ticket-9@example.com", "root@example.com")
    assert message.participants == ("complaints@example.com", "service@example.com")
    assert message.posted_at == datetime(2026, 6, 3, 1, 30, tzinfo=UTC)
    assert not message.is_automatic


def test_a_mail_inside_exchange_has_no_header_and_is_read_from_its_properties() -> None:
    message = read_msg(
        msg(
            {
                0x0037: "Re: 发票 invoice",
                0x0042: "Li, Lei (李雷)",
                0x0064: "EX",
                0x0065: X500,
                0x5D02: "Li.Lei@corp.example",
                0x0C1A: "Assistant",
                0x5D01: "assistant@corp.example",
                0x0039: datetime(2026, 6, 3, 1, 30, 0, tzinfo=UTC),
                0x1035: "<AM0PR01@corp.example>",
                0x1042: "<ticket-9@example.com>",
                0x1039: "<root@example.com> <ticket-9@example.com>",
                0x1000: "发票还没有收到。",
            },
            recipients=[
                {0x0C15: 1, 0x3001: "'投诉 团队'", 0x3002: "EX", 0x3003: X500, 0x39FE: "complaints@example.com"},
                {0x0C15: 2, 0x3001: "boss@corp.example", 0x3002: "SMTP", 0x3003: "boss@corp.example"},
                {0x0C15: 3, 0x3001: "hidden", 0x3002: "SMTP", 0x3003: "hidden@corp.example"},
                {0x0C15: 1, 0x3001: "只有名字", 0x3002: "EX", 0x3003: X500},
            ],
        )
    )
    assert message.author == Author(id="li.lei@corp.example", email="li.lei@corp.example", name="Li, Lei (李雷)")
    assert message.participants == ("complaints@example.com", "boss@corp.example")
    assert (message.subject, message.posted_at) == ("Re: 发票 invoice", datetime(2026, 6, 3, 1, 30, tzinfo=UTC))
    assert message.known_as == ("AM0PR01@corp.example",)
    assert message.thread == ("ticket-9@example.com", "root@example.com")


@pytest.mark.parametrize("name", ["王芳", "Wang Fang"])
def test_an_exchange_address_alone_is_a_name_and_no_address(name: str) -> None:
    message = read_msg(msg({0x0C1A: name, 0x0C1E: "EX", 0x0C1F: X500, 0x1000: "?"}))
    assert message.author == Author(name=name)


@pytest.mark.parametrize(("codepage", "number"), [("gb18030", 936), ("big5", 950), ("cp1252", 1252), ("cp1251", 1251)])
def test_strings_of_old_outlooks_are_in_their_code_page(codepage: str, number: int) -> None:
    said = {936: "发错货，客服不理", 950: "產品壞了，要求退款", 1252: "Das Gerät ist beschädigt", 1251: "Товар сломан"}
    message = read_msg(
        msg({0x3FFD: number, 0x0037: said[number], 0x1000: said[number] * 3, 0x0C1A: "x"}, codepage=codepage)
    )
    assert (message.subject, message.text) == (said[number], said[number] * 3)


def test_html_in_the_code_page_it_travelled_in() -> None:
    markup = '<html><body><p>退款<br>还没到账</p><img src="cid:logo@1"></body></html>'
    message = read_msg(
        msg(
            {0x3FDE: 936, 0x1013: markup.encode("gb18030"), **WANG},
            attachments=[{0x3707: "logo.png", 0x370E: "image/png", 0x3712: "logo@1", 0x3701: b"\x89PNG"}],
        )
    )
    assert message.html.strip() == markup
    assert "退款\n还没到账" in message.text
    assert [one.inline for one in message.attachments] == [True]


def test_attachments_byte_for_byte() -> None:
    big, binary = bytes(range(256)) * 300, b"\r\n--\r\n\0From \n.\n"
    data = msg(
        {0x1000: "见附件", **WANG},
        attachments=[
            {0x3707: "购买凭证（发票）.pdf", 0x3704: "GOUMAI~1.PDF", 0x370E: "application/pdf", 0x3701: big},
            {0x3704: "PHOTO.JPG", 0x370E: "no type", 0x3701: binary},
            {0x3707: 'a "b".txt', 0x370E: "multipart/mixed", 0x3701: b""},
            {0x3707: "云端.docx", 0x3705: 7, 0x370D: "https://files.example/x"},
            {0x3001: "Picture (Device Independent Bitmap)", 0x3705: 6},
        ],
    )
    (message,) = readers.read(stored(data), with_content=True)
    assert [(one.name, one.media_type, one.content, one.size) for one in message.attachments[:3]] == [
        ("购买凭证（发票）.pdf", "application/pdf", big, len(big)),
        ("PHOTO.JPG", "application/octet-stream", binary, len(binary)),
        ('a "b".txt', "application/octet-stream", b"", 0),
    ]
    assert [(one.name, one.skipped) for one in message.attachments[3:]] == [
        ("云端.docx", "only linked: https://files.example/x"),
        ("Picture (Device Independent Bitmap)", "an object of another program, or damaged"),
    ]
    assert readers.attachment_content(stored(data), 1) == binary
    assert readers.read(stored(data))[0].external_id == message.external_id


def test_a_message_inside_is_kept_as_a_mail_and_a_bare_forward_leads_to_its_author() -> None:
    inner = message_tree(
        {0x0037: "货品破损/2号店", 0x1000: "收到时已经破损", 0x0039: datetime(2026, 6, 1, 4, 0, tzinfo=UTC), **WANG},
        attachments=[{0x3707: "破损.jpg", 0x370E: "image/jpeg", 0x3701: b"\xff\xd8" * 4_000}],
    )
    data = msg(
        {0x0037: "FW: 货品破损", 0x0C1A: "Desk", 0x5D01: "desk@example.com", 0x1000: "请处理"}, attachments=[inner]
    )
    (message,) = readers.read(stored(data), with_content=True)
    (attached,) = message.attachments
    assert (attached.name, attached.media_type) == ("货品破损 2号店.eml", "message/rfc822")
    assert message.author.email == "desk@example.com"
    original = message.original
    assert original is not None
    assert original.author == Author(id="wang.fang@example.com", email="wang.fang@example.com", name="王芳")
    assert (original.text, original.posted_at) == ("收到时已经破损", datetime(2026, 6, 1, 4, 0, tzinfo=UTC))
    assert [(one.name, one.size) for one in original.attachments] == [("破损.jpg", 8_000)]


def test_messages_in_messages_end_somewhere() -> None:
    tree = message_tree({0x0037: "innermost", 0x1000: "!"})
    for depth in range(12):
        tree = message_tree({0x0037: f"level {depth}", 0x1000: "?"}, attachments=[tree])
    message = read_msg(msg({0x0037: "top", 0x1000: "FW"}, attachments=[tree]))
    assert [one.name for one in message.attachments] == ["level 11.eml"]


@pytest.mark.parametrize(
    "message_class",
    [
        "REPORT.IPM.Note.NDR",
        "REPORT.IPM.Note.DR",
        "IPM.Note.Rules.OofTemplate.Microsoft",
        "IPM.Schedule.Meeting.Resp.Pos",
    ],
)
def test_what_machines_send_is_known_by_its_class(message_class: str) -> None:
    assert read_msg(msg({0x001A: message_class, 0x1000: "我不在办公室", **WANG})).is_automatic
    assert not read_msg(msg({0x001A: "IPM.Note", 0x1000: "我不在办公室", **WANG})).is_automatic


# RTF

SPECIMEN = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a00726370673132354232 0af320 68656c0900206277 05b06c647d0a800fa0"
)
"""The compressed example of [MS-OXRTFCP], 4.1.1: `{\\rtf1\\ansi\\ansicpg1252\\pard hello world}`."""


def stored_rtf(text: str) -> bytes:
    content = text.encode("ascii")
    return struct.pack("<II4sI", len(content) + 12, len(content), b"MELA", 0) + content


def bytes_of(text: str, codec: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(codec))


def test_compressed_rtf() -> None:
    assert read_msg(msg({0x1009: SPECIMEN})).text == "hello world"


def test_rtf_of_several_scripts() -> None:
    chinese = bytes_of("退款", "gb18030")
    russian = bytes_of("возврат", "cp1251")
    rtf = (
        r"{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset134 SimSun;}"
        r"{\f2\fnil\fcharset204 Arial;}}{\colortbl;\red0\green0\blue0;}{\*\generator Riched20 10.0;}"
        rf"\viewkind4\uc1\pard\f1 {chinese}\par\f2 {russian}\par\f0 caf\'e9 \{{x\}} \u-10179?\u-8704? \emdash\par"
        r"\uc2\u36864\'cd\'cb\u27454\'bf\'eem\tab end}"
    )
    assert read_msg(msg({0x1009: stored_rtf(rtf)})).text == "退款\nвозврат\ncafé {x} 😀 —\n退款m\tend"


def test_html_wrapped_in_rtf() -> None:
    chinese = bytes_of("屏幕碎了", "gb18030")
    rtf = (
        r"{\rtf1\ansi\ansicpg936\fromhtml1 \fbidis \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fnil\fcharset134 SimSun;}}"
        r"{\colortbl\red0\green0\blue0;}\uc1\pard\plain\deftab360 \f0\fs24 "
        r'{\*\htmltag19 <html>}{\*\htmltag34 <head>}{\*\htmltag161 <meta charset="gb2312">}{\*\htmltag41 </head>}'
        r"{\*\htmltag50 <body>}{\*\htmltag64 <p class=\'22x\'22>}\htmlrtf {\f1 \htmlrtf0 "
        rf"\f1 {chinese}"
        r"{\*\htmltag84 &nbsp;}\htmlrtf \'a0\htmlrtf0 {\*\mhtmltag84 <a href=x>}{\*\htmltag84 <a href='h:\\\\x'>}"
        r"go{\*\htmltag92 </a>}\htmlrtf }\htmlrtf0 {\*\htmltag72 </p>}{\*\htmltag58 </body>}{\*\htmltag27 </html>}}"
    )
    message = read_msg(msg({0x1009: stored_rtf(rtf)}))
    assert message.html.strip() == (
        '<html><head><meta charset="gb2312"></head><body><p class="x">屏幕碎了&nbsp;'
        "<a href='h:\\\\x'>go</a></p></body></html>"
    )
    assert message.text.split() == ["屏幕碎了", "go"]


@pytest.mark.parametrize(
    "rtf",
    [
        b"",
        b"x" * 40,
        SPECIMEN[:20],
        SPECIMEN[:16] + b"\xff" * 400,
        struct.pack("<II4sI", 9, 0xFFFFFFFF, b"LZFu", 0) + b"\xff" + bytes([0x00, 0x0F]) * 4_000,
        stored_rtf("{" * 100_000),
        stored_rtf("}" * 1_000 + r"\u-99999999999 \uc999999999 \'" + "\\"),
    ],
)
def test_rtf_that_is_none_leaves_the_rest(rtf: bytes) -> None:
    message = read_msg(msg({0x1009: rtf, 0x1000: "读得到", **WANG}))
    assert message.text == "读得到"


# Damage

GOOD = msg(
    {0x007D: HEADERS, 0x0037: "投诉", 0x1000: "屏幕碎了" * 2_000, 0x1009: SPECIMEN, **WANG},
    recipients=[{0x0C15: 1, 0x3001: "x", 0x39FE: "x@example.com"}],
    attachments=[{0x3707: "a.jpg", 0x3701: b"\xff" * 9_000}, message_tree({0x0037: "inner", 0x1000: "?"})],
)


def read_or_refuse(data: bytes) -> Message | None:
    try:
        return read_msg(data, with_content=True)
    except BadMessage as error:
        assert ".msg" in str(error) or "Outlook" in str(error)
        return None


@pytest.mark.parametrize(
    "data",
    [b"", b"From: a@b\r\n\r\nx", GOOD[:8], GOOD[:511], GOOD[:600], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 1_000],
)
def test_what_is_no_outlook_message_says_so(data: bytes) -> None:
    assert read_or_refuse(data) is None


def test_another_office_file_says_so() -> None:
    with pytest.raises(BadMessage, match="no Outlook message"):
        read_msg(compound_file({"WordDocument": b"x" * 5_000}))


def test_many_names_for_the_same_bytes_do_not_multiply() -> None:
    """Forty attachments whose directory entries all point at one big stream."""
    files: list[dict[int, Value]] = [{0x3707: "bomb.bin", 0x3701: b"x" * 200_000}]
    files += [{0x3707: f"{number}.bin", 0x3701: b"y" * 5_000} for number in range(40)]
    data = bytearray(msg({0x1000: "?"}, attachments=files))
    entry = "__substg1.0_37010102".encode("utf-16-le")
    first = data.index(entry)
    place, position = data[first + 116 : first + 128], first
    while (position := data.find(entry, position + 1)) > 0:
        data[position + 116 : position + 128] = place
    with pytest.raises(BadMessage, match="more than its own size"):
        read_msg(bytes(data))


@settings(max_examples=150, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=30), cut=st.integers(0, 20)
)
def test_damage_anywhere_raises_nothing_else(places: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(GOOD)
    for at, value in places:
        data[at] = value
    read_or_refuse(bytes(data[: len(data) - cut * 512]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"}",
                b"\\*",
                b"\\htmltag",
                b"\\htmlrtf",
                b"\\htmlrtf0 ",
                b"\\u55357 ",
                b"\\'b2",
                b"a",
                b"\\f1",
                b"\\fonttbl",
                b"\\fcharset134 ",
                b"\\par",
                b"\\uc2 ",
                b"\n",
                b"\\",
                b"\xff",
            ]
        ),
        max_size=60,
    )
)
def test_any_rtf_is_text(pieces: list[bytes]) -> None:
    for head in (b"{\\rtf1", b"{\\rtf1\\fromhtml1 "):
        content = head + b"".join(pieces)
        packed = struct.pack("<II4sI", len(content) + 12, len(content), b"MELA", 0) + content
        read_msg(msg({0x1009: packed})).text.encode("utf-8")
