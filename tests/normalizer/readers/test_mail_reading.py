"""Mail bytes → Message: what must come out of usual, unusual and malformed mails."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from allears_sdk.errors import BadMessage
from allears_sdk.message import RFC822, Message, Raw
from normalizer.readers import attachment_content, can_read, read

NOW = datetime(2024, 5, 1, 2, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def raw_of(data: bytes) -> Raw:
    return Raw(key="k", body=data, media_type=RFC822, received_at=NOW)


def mail(data: bytes, *, with_content: bool = False) -> Message:
    (message,) = read(raw_of(data), with_content=with_content)
    return message


def b64(data: bytes) -> bytes:
    return base64.encodebytes(data)


USUAL = (
    "Return-Path: <zhang@example.cn>\r\n"
    "Received: from mx (mx [1.2.3.4]) by us; Wed, 1 May 2024 10:00:05 +0800\r\n"
    "From: =?utf-8?B?5byg5LiJ?= <Zhang@Example.cn>\r\n"
    "To: 客服 <KF@shop.example>, other@shop.example\r\n"
    "Cc: boss@shop.example\r\n"
    "Subject: =?utf-8?B?5omL5py65Z2P5LqG?=\r\n"
    "Date: Wed, 1 May 2024 10:00:00 +0800\r\n"
    "Message-ID: <m1@example.cn>\r\n"
    "In-Reply-To: <p2@shop.example>\r\n"
    "References: <root@shop.example> <p1@shop.example> <p2@shop.example>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    "手机坏了，我要退款。\r\n"
).encode()


def test_a_usual_mail() -> None:
    message = mail(USUAL)
    assert message.text == "手机坏了，我要退款。"
    assert message.subject == "手机坏了"
    assert (message.author.name, message.author.email, message.author.id) == ("张三", *["zhang@example.cn"] * 2)
    assert message.participants == ("kf@shop.example", "other@shop.example", "boss@shop.example")
    assert message.known_as == ("m1@example.cn",)
    assert message.thread == ("p2@shop.example", "p1@shop.example", "root@shop.example")
    assert message.posted_at == datetime(2024, 5, 1, 10, 0, tzinfo=timezone(timedelta(hours=8)))
    assert not message.is_automatic


def test_the_id_tells_content_apart_and_ignores_the_way_a_mail_took() -> None:
    first = mail(USUAL).external_id
    assert first.startswith("m1@example.cn#") and len(first.rpartition("#")[2]) == 12
    assert mail(USUAL.replace(b"[1.2.3.4]", b"[9.9.9.9]")).external_id == first
    assert mail(USUAL.replace("退款".encode(), "换货".encode())).external_id != first
    nameless = mail(USUAL.replace(b"Message-ID", b"X-Other")).external_id
    assert nameless.startswith("#") and len(nameless) == 25


def test_the_id_is_the_same_when_a_relay_recodes_the_body() -> None:
    header, _, body = USUAL.partition(b"\r\n\r\n")
    recoded = header + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64(body)
    assert mail(recoded).external_id == mail(USUAL).external_id


MIXED = (
    b"From: a@b.example\r\nSubject: files\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=OUT\r\n\r\n"
    b"--OUT\r\nContent-Type: multipart/related; boundary=REL\r\n\r\n"
    b"--REL\r\nContent-Type: multipart/alternative; boundary=ALT\r\n\r\n"
    b"--ALT\r\nContent-Type: text/plain\r\n\r\nplain words\r\n"
    b'--ALT\r\nContent-Type: text/html\r\n\r\n<p>html words <img src="cid:logo@x"></p>\r\n'
    b"--ALT--\r\n"
    b"--REL\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo@x>\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: inline; filename=logo.png\r\n\r\n" + b64(PNG) + b"--REL--\r\n"
    b"--OUT\r\nContent-Type: image/jpeg\r\nContent-Disposition: inline; filename=photo.jpg\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(PNG * 2) + b"--OUT--\r\n"
)


def test_text_html_inline_and_attached() -> None:
    message = mail(MIXED)
    assert message.text == "plain words"
    assert "html words" in message.html
    logo, photo = message.attachments
    assert (logo.name, logo.inline, logo.content_id, logo.size) == ("logo.png", True, "logo@x", len(PNG))
    assert (photo.name, photo.inline, photo.media_type) == ("photo.jpg", False, "image/jpeg")
    assert photo.sha256 == hashlib.sha256(PNG * 2).hexdigest()
    assert logo.content is None


def test_contents_only_when_asked_for_and_by_index() -> None:
    assert [file.content for file in mail(MIXED, with_content=True).attachments] == [PNG, PNG * 2]
    assert attachment_content(raw_of(MIXED), 1) == PNG * 2
    with pytest.raises(BadMessage):
        attachment_content(raw_of(MIXED), 2)


def test_html_alone_is_reduced() -> None:
    message = mail("Content-Type: text/html; charset=utf-8\n\n<style>x</style><p>屏幕</p><p>碎了</p>".encode())
    assert message.text == "屏幕\n\n碎了"


def test_html_wins_over_a_plain_part_that_only_points_to_it() -> None:
    data = (
        b"Content-Type: multipart/alternative; boundary=A\n\n--A\n\nYour mail program does not show HTML.\n"
        b"--A\nContent-Type: text/html\n\n<p>The kettle leaks since the second day, please replace it.</p>\n--A--"
    )
    assert mail(data).text.startswith("The kettle leaks")


def named(disposition: bytes, content_type: bytes = b"application/pdf") -> str:
    data = (
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nsee file\n--B\nContent-Type: "
        + content_type
        + b"\nContent-Disposition: "
        + disposition
        + b"\n\nx\n--B--\n"
    )
    (file,) = mail(data).attachments
    return file.shown_name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b"attachment; filename=a.pdf", "a.pdf"),
        (b'attachment; filename="my file.pdf"', "my file.pdf"),
        (b"attachment; filename=my file.pdf", "my file.pdf"),
        (b'attachment; filename="unclosed.pdf', "unclosed.pdf"),
        (b"attachment; filename*=utf-8''%E5%8F%91%E7%A5%A8.pdf", "发票.pdf"),
        (b"attachment; filename*=GBK''%B7%A2%C6%B1.pdf", "发票.pdf"),
        (b"attachment; filename*0*=utf-8''%E5%8F%91; filename*1*=%E7%A5%A8; filename*2=.pdf", "发票.pdf"),
        (b'attachment;\n filename*1="b.pdf";\n filename*0="a"', "ab.pdf"),
        (b'attachment; filename="=?utf-8?B?5Y+R56WoLnBkZg==?="', "发票.pdf"),
        (b'attachment; filename="=?gbk?B?t6LGsQ==?=\n =?gbk?B?LnBkZg==?="', "发票.pdf"),
        ('attachment; filename="发票.pdf"'.encode("gbk"), "发票.pdf"),
        ('attachment; filename="發票明細.pdf"'.encode("big5"), "發票明細.pdf"),
        ('attachment; filename="发票.pdf"'.encode(), "发票.pdf"),
        (b"attachment; filename=%E5%8F%91%E7%A5%A8.pdf", "发票.pdf"),
        (b"attachment; filename=100%25.pdf", "100%25.pdf"),
        (b'attachment; filename="C:\\Users\\me\\a.pdf"', "a.pdf"),
        (b'attachment; filename="../../etc/a.pdf"', "a.pdf"),
        (b"attachment; FILENAME=first.pdf; filename=second.pdf", "first.pdf"),
    ],
)
def test_attachment_names(disposition: bytes, name: str) -> None:
    assert named(disposition) == name


def test_a_name_given_only_in_the_content_type() -> None:
    assert named(b"attachment", b'application/pdf; name="=?utf-8?Q?=E5=8F=91=E7=A5=A8.pdf?="') == "发票.pdf"


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?gb2312?B?yta7+ru1wcs=?=", "手机坏了"),
        (b"=?GB2312?B?1uxFu6E=?=", "朱E弧"),
        (b"=?utf-8?B?5omL5py6?= =?utf-8?B?5Z2P5LqG?=", "手机坏了"),
        (b"=?utf-8?B?5omL5pw=?= =?utf-8?B?uuWdj+S6hg==?=", "手机坏了"),
        (b"=?utf-8?B?5omL5py65Z2P5LqG", "手机坏了"),
        (b"=?UTF-8?b?5omL5py65Z2P5LqG?=!", "手机坏了!"),
        (b"=?utf-8?Q?order 77 =E5=9D=8F?=", "order 77 坏"),
        (b"=?utf-8?q?=E6=89=8B=E6=9C=BA?= is =?utf-8?q?=E5=9D=8F?=", "手机 is 坏"),
        (b"=?utf-8*zh?B?5omL5py6?=", "手机"),
        (b"=?x-unknown?B?5omL5py6?=", "手机"),
        ("手机坏了".encode("gbk"), "手机坏了"),
        ("手機壞了，請處理".encode("big5"), "手機壞了，請處理"),
        ("手机坏了".encode(), "手机坏了"),
        ("订单𠮷号".encode("gb18030"), "订单𠮷号"),
        (b"=?iso-2022-jp?B?GyRCPyZKKhsoQg==?=", "職物"),
        (b"folded\n over\n\tlines", "folded over lines"),
        (b"=?broken", "=?broken"),
        (b"", ""),
    ],
)
def test_subjects(raw: bytes, subject: str) -> None:
    assert mail(b"From: a@b.example\nSubject: " + raw + b"\n\nx").subject == subject


@pytest.mark.parametrize(
    ("field", "name", "email"),
    [
        (b"Jane Doe <Jane@X.example>", "Jane Doe", "jane@x.example"),
        (b'"Doe, Jane" <jane@x.example>', "Doe, Jane", "jane@x.example"),
        (b"Doe, Jane <jane@x.example>", "Doe, Jane", "jane@x.example"),
        (b"jane@x.example (Jane Doe)", "Jane Doe", "jane@x.example"),
        (b"jane@x.example", "", "jane@x.example"),
        (b"<jane@x.example>", "", "jane@x.example"),
        (b"<<jane@x.example>>", "", "jane@x.example"),
        (b"Jane <jane@x.example", "Jane", "jane@x.example"),
        (b'"Jane <jane@x.example>', "Jane", "jane@x.example"),
        (b"Jane <mailto:jane@x.example>", "Jane", "jane@x.example"),
        (b"jane@x.example <jane@x.example>", "jane@x.example", "jane@x.example"),
        (b"a@x.example, b@x.example", "", "a@x.example"),
        (b"Team: a@x.example, b@x.example;", "", "a@x.example"),
        (b"=?utf-8?B?5byg5LiJ?=<zs@x.example>", "张三", "zs@x.example"),
        (b'"=?gbk?B?1cXI/Q==?=" <zs@x.example>', "张三", "zs@x.example"),
        (b"=?utf-8?Q?Doe=2C_Jane?= <jane@x.example>", "Doe, Jane", "jane@x.example"),
        (b"=?utf-8?B?5byg5LiJIDx6c0B4LmV4YW1wbGU+?=", "张三", "zs@x.example"),
        ("张三 <zs@x.example>".encode("gbk"), "张三", "zs@x.example"),
        ("張小姐 <zs@x.example>".encode("big5"), "張小姐", "zs@x.example"),
        (b"Pete(A nice \\) chap) <pete(his account)@silly.example(his host)>", "Pete", "pete@silly.example"),
    ],
)
def test_senders(field: bytes, name: str, email: str) -> None:
    author = mail(b"From: " + field + b"\nSubject: x\n\nx").author
    assert (author.email, author.name) == (email, name)


def test_obsolete_spaces_around_colons_and_dots() -> None:
    message = mail(b"From  : John <jdoe @ machine(comment).  example>\nSubject : x\n\nbody")
    assert (message.author.email, message.subject, message.text) == ("jdoe@machine.example", "x", "body")


def test_a_mailbox_separator_line_is_no_header() -> None:
    assert mail(b"From a@b.example Wed May  1 10:00:00 2024\nFrom: c@d.example\n\nx").author.email == "c@d.example"


def test_the_sender_when_from_is_missing_empty_or_repeated() -> None:
    assert mail(b"Sender: s@x.example\n\nx").author.email == "s@x.example"
    assert mail(b"From: \nReply-To: Jane <r@x.example>\n\nx").author.email == "r@x.example"
    assert mail(b"From:\nFrom: Jane <j@x.example>\n\nx").author.email == "j@x.example"
    assert mail(b"From: undisclosed\nReturn-Path: <rp@x.example>\n\nx").author.email == "rp@x.example"
    assert mail(b"Subject: nobody\n\nx").author.email == ""


def test_an_author_behind_a_group_address() -> None:
    data = b"From: 'Jane Doe' via Support <support@shop.example>\nX-Original-From: Jane Doe <jane@x.example>\n\nx"
    assert mail(data).author.email == "jane@x.example"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (b"Wed, 1 May 2024 10:00:00 +0800", datetime(2024, 5, 1, 2, 0, tzinfo=UTC)),
        (b"1 May 2024 10:00 GMT", datetime(2024, 5, 1, 10, 0, tzinfo=UTC)),
        (b"Wed, 1 May 2024 10:00:60 +0000", datetime(2024, 5, 1, 10, 0, 59, tzinfo=UTC)),
        (b"2024-05-01 10:00:00 +0800", datetime(2024, 5, 1, 2, 0, tzinfo=UTC)),
        (b"Wed, 1 May 2024 10:00:00", datetime(2024, 5, 1, 9, 30, tzinfo=UTC)),
        (b"yesterday", datetime(2024, 5, 1, 9, 30, tzinfo=UTC)),
        (b"Wed, 99 May 99999 77:00:00 +9999", datetime(2024, 5, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_dates(date: bytes, expected: datetime) -> None:
    data = b"Received: from a by b; Wed, 1 May 2024 09:30:00 +0000\nDate: " + date + b"\n\nx"
    assert mail(data).posted_at == expected


def test_no_date_at_all() -> None:
    assert mail(b"From: a@b.example\n\nx").posted_at is None
    assert mail(b"Date: garbage\n\nx").posted_at is None


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (b"text/plain; charset=gb2312", "朱镕基喆𠮷".encode("gb18030"), "朱镕基喆𠮷"),
        (b"text/plain; charset=us-ascii", "屏幕碎了，要求换货".encode("gbk"), "屏幕碎了，要求换货"),
        (b"text/plain", "屏幕碎了，要求换货".encode("gbk"), "屏幕碎了，要求换货"),
        (b"text/plain; charset=iso-8859-1", "屏幕碎了".encode(), "屏幕碎了"),
        (b"text/plain; charset=utf-8", "螢幕破了，我要退貨".encode("big5"), "螢幕破了，我要退貨"),
        (b"text/plain; charset=x-nonsense", "Größe ändern".encode("cp1252"), "Größe ändern"),
        (b"text/plain; charset=windows-1251", "Телефон сломан".encode("cp1251"), "Телефон сломан"),
        (b'text/plain; charset="koi8-r"', "Телефон сломан".encode("koi8-r"), "Телефон сломан"),
        (b"text/plain; charset=iso-2022-jp", "壊れています①".encode("iso2022_jp_ext", "replace"), "壊れています?"),
        (b"text/plain; charset=shift_jis", "壊れています①".encode("cp932"), "壊れています①"),
        (b"text/plain; charset=utf-7", "退款".encode("utf-7"), "退款"),
        (b"text/plain; charset=utf-16", "退款".encode("utf-16"), "退款"),
        (b"text/plain; charset=", "退款".encode(), "退款"),
        (b'text/plain; charset="utf-8', "退款".encode(), "退款"),
        (b"text/plain charset=gbk", "退款申请".encode("gbk"), "退款申请"),
        (b"text", "退款".encode(), "退款"),
        (b"text/plain; charset=utf-8", b"a\0b", "ab"),
    ],
)
def test_charsets(content_type: bytes, body: bytes, text: str) -> None:
    assert mail(b"From: a@b.example\nContent-Type: " + content_type + b"\n\n" + body).text == text


def test_several_charsets_in_one_mail() -> None:
    data = (
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=B\n\n"
        b"--B\nContent-Type: text/plain; charset=gbk\n\n" + "退款".encode("gbk") + b"\n"
        b"--B\nContent-Type: text/plain; charset=big5\n\n" + "退貨".encode("big5") + b"\n--B--"
    )
    assert mail(data).text == "退款\n退貨"


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        (b"base64", b"6YCA\r\n5qy+", "退款"),
        (b"base64", b"6YCA5qy+ !!", "退款"),
        (b"base64", b"6YCA5qy", "退"),
        (b"base64", b"6YA=gOasvg==", "退款"),
        (b"base64", b"I never got my money back, please help.", "I never got my money back, please help."),
        (b"quoted-printable", b"=E9=80=80=E6=AC=\n=BE =3D", "退款 ="),
        (b"quoted-printable", b"50% = half =ZZ", "50% = half =ZZ"),
        (b"8-bit; foo", "退款".encode(), "退款"),
        (b"plain", b"refund", "refund"),
    ],
)
def test_transfer_encodings(encoding: bytes, body: bytes, text: str) -> None:
    data = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body
    assert mail(data).text.startswith(text)


def test_a_boundary_that_is_missing_wrong_or_never_closed() -> None:
    parts = b"--X\nContent-Type: text/plain\n\nhello\n--X\nContent-Type: image/png; name=a.png\n\npng"
    for header in (b"multipart/mixed", b"multipart/mixed; boundary=Y", b"multipart/mixed; boundary=X"):
        message = mail(b"From: a@b.example\nContent-Type: " + header + b"\n\npreamble\n" + parts)
        assert (message.text, [file.name for file in message.attachments]) == ("hello", ["a.png"])


def test_boundaries_that_begin_alike() -> None:
    data = (
        b"Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/alternative; boundary=abc\n\n"
        b"--abc\n\nhello\n--abc--\n--ab\nContent-Type: image/png; name=a.png\n\npng\n--ab--"
    )
    assert mail(data).text == "hello"
    assert len(mail(data).attachments) == 1


def test_bare_carriage_returns() -> None:
    assert mail(b"From: a@b.example\rSubject: x\r\rline one\rline two").text == "line one\nline two"


def test_a_header_line_without_colon_does_not_end_the_header() -> None:
    message = mail(b"From: a@b.example\nSubject: a subject that\nwas wrapped badly\nX-A: b\n\nbody")
    assert message.subject == "a subject that was wrapped badly"
    assert message.text == "body"


NESTED = b"From: Jane <jane@x.example>\r\nSubject: inner: broken?\r\n\r\nIt broke.\r\n"


def test_a_nested_mail_is_an_attachment_byte_for_byte() -> None:
    data = (
        b"From: a@b.example\r\nSubject: see\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n"
        b"please look\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n" + NESTED + b"\r\n--B--\r\n"
    )
    (file,) = mail(data, with_content=True).attachments
    assert (file.shown_name, file.content) == ("inner broken.eml", NESTED)
    assert mail(data).original is None


def test_winmail_that_cannot_be_opened_stays() -> None:
    data = b"From: a@b.example\nContent-Type: application/ms-tnef; name=winmail.dat\n\nnot tnef"
    assert [file.name for file in mail(data).attachments] == ["winmail.dat"]


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        (b"application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m"),
        (b"application/pgp-signature", "signature.asc"),
    ],
)
def test_envelopes_are_kept_and_named(media_type: bytes, name: str) -> None:
    data = b"From: a@b.example\nContent-Type: " + media_type + b"\n\nxyz"
    (file,) = mail(data).attachments
    assert (file.name, file.size) == (name, 3)


def test_uuencoded_files_in_old_mails() -> None:
    data = b"From: a@b.example\n\nsee file\n\nbegin 644 a.txt\n#:&D*\n`\nend\nbye"
    (file,) = mail(data, with_content=True).attachments
    assert (file.name, file.content) == ("a.txt", b"hi\n")
    assert "begin 644" not in mail(data).text


def test_flowed_text_is_joined() -> None:
    data = b"Content-Type: text/plain; format=flowed\n\na long \nline\n> quoted \n> lines\n-- \nsig"
    assert mail(data).text == "a long line\n> quoted \n> lines\n-- \nsig"


def test_what_it_reads() -> None:
    assert can_read("message/rfc822")
    assert can_read("multipart/form-data; boundary=x")
    assert not can_read("text/plain")
    with pytest.raises(BadMessage):
        read(Raw(key="k", body=b"", media_type="text/plain", received_at=NOW))
