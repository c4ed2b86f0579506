"""How mails are put together, rightly and wrongly: what is read, what is attached, what each file is called."""

from __future__ import annotations

import base64

import pytest

from allears_sdk.message import Message
from normalizer.readers.rfc822 import read_mail

HEAD = b"From: a@b.example\nSubject: s\n"
TEXT = b"Content-Type: text/plain; charset=utf-8\n\nThe kettle leaks."
HTML = b"Content-Type: text/html\n\n<p>The kettle <b>leaks</b>.</p>"
PNG = b"Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo="


def multi(kind: bytes, *parts: bytes, boundary: bytes = b"BB") -> bytes:
    body = b"".join(b"--BB\n" + part + b"\n" for part in parts)
    return HEAD + b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\n\n" + body + b"--BB--\n"


def names(message: Message) -> list[str]:
    return [file.shown_name for file in message.attachments]


def test_parts_that_are_files_and_parts_that_are_read() -> None:
    message = read_mail(
        multi(
            b"mixed",
            TEXT,
            b"Content-Type: text/plain; name=log.txt\nContent-Disposition: attachment\n\nlog",
            b"Content-Type: text/plain\nContent-Disposition: inline; filename=note.txt\n\nnote",
            b"Content-Type: text/html; name=page.html\n\n<p>x</p>",
            b"Content-Type: text/plain\nContent-Disposition: inline\n\nSecond part.",
            PNG,
        )
    )
    assert message.text == "The kettle leaks.\nSecond part."
    assert [(file.name, file.size) for file in message.attachments] == [
        ("log.txt", 3),
        ("note.txt", 4),
        ("page.html", 8),
        ("a.png", 8),
    ]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (b"Content-Type: image/jpeg\n\nx", "image.jpg"),
        (b"Content-Type: image/heic\n\nx", "image.heic"),
        (b"Content-Type: application/pdf\n\nx", "attachment.pdf"),
        (b"Content-Type: application/octet-stream\n\nx", "attachment.bin"),
        (b"Content-Type: application/x-nobody-knows\n\nx", "attachment"),
        (b"Content-Type: text/csv\n\na,b", "attachment.csv"),
        (b"Content-Type: text/calendar\n\nBEGIN:VCALENDAR", "invite.ics"),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nx", "smime.p7m"),
        (b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\nx", "encrypted.asc"),
        (b"Content-Type: image/jpeg\nContent-Location: Photo25.jpg\n\nx", "Photo25.jpg"),
        (b"Content-Type: message/rfc822\n\nSubject: =?gbk?B?zcu/7g==?=\n\nx", "退款.eml"),
        (b"Content-Type: message/rfc822\n\nFrom: a@b.example\n\nx", "message.eml"),
        (b"Content-Disposition: filename=order.pdf\n\nx", "order.pdf"),
        (b"Content-Disposition: attachment; filename*=utf-8''%E9%80%80.pdf; filename=fallback.pdf\n\nx", "退.pdf"),
        (b"Content-Disposition: attachment; filename*=%E9%80%80.pdf\n\nx", "退.pdf"),
        (b"Content-Type: a/b;\n name*0*=gb2312'zh-cn'%CD%CB;\n name*1*=%BF%EE;\n name*2=\".pdf\"\n\nx", "退款.pdf"),
        (b"Content-Type: a/b;\n name*0*=utf-8''%E9%80;\n name*1*=%80.pdf\n\nx", "退.pdf"),
        (b'Content-Disposition: attachment; filename="=?GB2312?B?zcs=?==?GB2312?B?v+4ucGRm?="\n\nx', "退款.pdf"),
        (b"Content-Disposition: attachment; filename==?utf-8?B?6YCA5qy+LnBkZg==?=\n\nx", "退款.pdf"),
        (b'Content-Disposition: attachment; filename="' + "发票明细.pdf".encode("gbk") + b'"\n\nx', "发票明细.pdf"),
        (b'Content-Disposition: attachment; filename="' + "發票.pdf".encode("big5") + b'"\n\nx', "發票.pdf"),
        (b"Content-Disposition: attachment; filename='single.pdf'\n\nx", "single.pdf"),
        (b'Content-Disposition: attachment; filename="' + b"x" * 300 + b'.pdf"\n\nx', "x" * 180 + ".pdf"),
    ],
)
def test_file_names(part: bytes, name: str) -> None:
    assert names(read_mail(multi(b"mixed", TEXT, part))) == [name]


def test_the_same_words_in_plain_and_in_html_are_said_once() -> None:
    assert read_mail(multi(b"mixed", TEXT, HTML)).text == "The kettle leaks."
    other = read_mail(multi(b"mixed", TEXT, b"Content-Type: text/html\n\n<p>And it smokes.</p>"))
    assert other.text == "The kettle leaks.\nAnd it smokes."


def test_html_that_calls_itself_plain_is_reduced() -> None:
    message = read_mail(HEAD + b"Content-Type: text/plain\n\n<!DOCTYPE html><html><body><p>It leaks.</p></body></html>")
    assert message.text == "It leaks."


def test_representations_for_other_programs_are_neither_read_nor_attached() -> None:
    message = read_mail(
        multi(
            b"alternative",
            TEXT,
            b"Content-Type: text/x-amp-html\n\n<html amp4email>",
            b"Content-Type: text/watch-html\n\n<b>leaks</b>",
            HTML,
        )
    )
    assert (message.text, names(message)) == ("The kettle leaks.", [])
    assert "<b>leaks</b>" in message.html


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"Content-Type: text/foo", "Just words."),
        (b"Content-Type: text/plain; text/html; charset=utf-8", "Just words."),
        (b"Content-Type:", "Just words."),
        (b"Content-Type: text/plain (a comment); charset=utf-8", "Just words."),
        (b"Content-Disposition: inline", "Just words."),
        (b"Content-Type: multipart/mixed; boundary=BB", "Just words."),
    ],
)
def test_types_that_say_little(head: bytes, text: str) -> None:
    message = read_mail(HEAD + head + b"\n\nJust words.")
    assert (message.text, names(message)) == (text, [])


def test_unnamed_text_that_calls_itself_an_attachment_is_read_where_nothing_else_is() -> None:
    part = b"Content-Type: text/plain\nContent-Disposition: attachment\n\nThe kettle leaks."
    alone = read_mail(HEAD + part)
    assert (alone.text, names(alone)) == ("The kettle leaks.", ["attachment.txt"])
    assert read_mail(multi(b"mixed", TEXT, part)).text == "The kettle leaks."


BOUNDARIES = {
    "not declared": multi(b"mixed", TEXT, PNG).replace(b"; boundary=BB", b""),
    "another one": multi(b"mixed", TEXT, PNG, boundary=b"other"),
    "in other case": multi(b"mixed", TEXT, PNG, boundary=b"bb"),
    "with a comment": multi(b"mixed", TEXT, PNG, boundary=b"BB (of our own)"),
    "followed by a space": multi(b"mixed", TEXT, PNG, boundary=b'"BB "').replace(b"--BB", b"--BB "),
    "never closed": multi(b"mixed", TEXT, PNG).replace(b"--BB--\n", b""),
    "closed twice": multi(b"mixed", TEXT, PNG) + b"--BB--\n",
    "after a preamble": multi(b"mixed", TEXT, PNG).replace(b"\n\n--BB", b"\n\nThis is MIME.\n--BB", 1),
    "carriage returns only": multi(b"mixed", TEXT, PNG).replace(b"\n", b"\r"),
    "doubled carriage returns": multi(b"mixed", TEXT, PNG).replace(b"\n", b"\r\r\n"),
    "all of it in base64": HEAD
    + b"Content-Type: multipart/mixed; boundary=BB\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(multi(b"mixed", TEXT, PNG).partition(b"\n\n")[2]),
    "the same one inside": multi(b"mixed", b"Content-Type: multipart/mixed; boundary=BB\n\n--BB\n" + TEXT, PNG),
}


@pytest.mark.parametrize("data", BOUNDARIES.values(), ids=BOUNDARIES)
def test_boundaries(data: bytes) -> None:
    message = read_mail(data)
    assert (message.text, names(message)) == ("The kettle leaks.", ["a.png"])


def test_a_boundary_known_only_from_the_last_line() -> None:
    data = HEAD + b"Content-Type: multipart/mixed\n\n--zz\n\nThe kettle leaks.\n--zz\n\nAnd smokes.\n--zz--\n"
    assert read_mail(data).text == "The kettle leaks.\nAnd smokes."


STARTS = {
    "byte order mark": b"\xef\xbb\xbf",
    "mbox line": b"From a@b.example Wed May  1 10:00:00 2024\n",
    "quoted mbox line": b">From a@b.example Wed May  1 10:00:00 2024\r\n",
    "empty lines": b"\r\n\n  \n",
    "a space": b" ",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_what_stands_before_the_header(start: bytes) -> None:
    message = read_mail(start + HEAD + b"\nThe kettle leaks.")
    assert (message.author.email, message.subject, message.text) == ("a@b.example", "s", "The kettle leaks.")


def test_a_mail_saved_as_utf_16() -> None:
    message = read_mail("From: a@b.example\r\nSubject: 退款\r\n\r\n水壶漏水".encode("utf-16"))
    assert (message.author.email, message.subject, message.text) == ("a@b.example", "退款", "水壶漏水")


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: one\n two\n\tthree\n", "one two three"),
        (b"Subject: one\ntwo without a fold\n", "one two without a fold"),
        (b"Subject: one\rtwo\n", "one two"),
        (b"Subject: on\0e\n", "one"),
        (b"Subject:\n one\n", "one"),
        (b"Subject: one\n \n two\n", "one two"),
        (b"Subject:\nSubject: one\n", "one"),
        (b"no header at all\nSubject: one\n", "one"),
        (b"SUBJECT : one\n", "one"),
    ],
)
def test_header_lines_as_they_are_folded(header: bytes, subject: str) -> None:
    message = read_mail(header + b"From: a@b.example\n\nThe kettle leaks.")
    assert (message.subject, message.author.email) == (subject, "a@b.example")
    assert message.text == "The kettle leaks."


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        (b"Base64 (of all)", b"6YCA5qy+", "退款"),
        (b'"base64"', b"6YCA5qy+", "退款"),
        (b"base64", base64.encodebytes("水壶漏水。".encode()) + b"--\nlist footer\n", "水壶漏水。\n--\nlist footer"),
        (b"base64", b"6YCA*5qy+", "退款"),
        (b"base64", b"6YCA 5qy+\n", "退款"),
        (b"quoted-printable", b"a =  \r\nb=20\r\nc=\r\n", "a b \nc"),
        (b"Quoted_Printable", b"=E9=80=80", "退"),
        (b"quoted-printable", b"=e9=80=80=G1==", "退=G1="),
        (b"utf-8", "退款".encode(), "退款"),
    ],
)  # fmt: skip
def test_transfer_encodings_with_faults(encoding: bytes, body: bytes, text: str) -> None:
    head = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
    assert read_mail(head + encoding + b"\n\n" + body).text == text


def test_uuencoded_and_yenc_files_inside_text() -> None:
    yenc = b"=ybegin part=1 line=128 size=5 name=b.bin\n=ypart begin=1 end=5\n%s\n=yend size=5\n" % bytes(
        (byte + 42) % 256 for byte in b"hello"
    )
    message = read_mail(HEAD + b"\nsee files\nbegin 644 a.txt\n#:&D*\n`\nend\n" + yenc + b"bye", with_content=True)
    assert {file.name: file.content for file in message.attachments} == {"a.txt": b"hi\n", "b.bin": b"hello"}
    assert message.text.split() == ["see", "files", "bye"]


def test_a_uuencoded_file_that_was_cut_off() -> None:
    message = read_mail(HEAD + b"\nsee file\nbegin 644 a.txt\n#:&D*\n", with_content=True)
    assert [file.content for file in message.attachments] == [b"hi\n"]
    prose = "see\nbegin 644 words\nthat are a poem"
    assert read_mail(HEAD + b"\n" + prose.encode()).text == prose


def test_broken_yenc_stays_text() -> None:
    assert read_mail(HEAD + b"\n=ybegin line=128 name=x\n\x92\x8f").text.startswith("=ybegin")


INNER = b"Content-Type: multipart/mixed; boundary=II\r\n\r\n--II\r\n%s\r\n--II\r\n%s\r\n--II--\r\n" % (TEXT, PNG)


def der(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


def signed(content: bytes, *, in_pieces: bool = False) -> bytes:
    """CMS SignedData (RFC 5652) around `content`, without certificates or signatures."""
    octets = der(0x04, content)
    if in_pieces:
        octets = b"\x24\x80" + der(0x04, content[:50]) + der(0x04, content[50:]) + b"\0\0"
    encapsulated = der(0x30, bytes.fromhex("06092a864886f70d010701") + der(0xA0, octets))
    version, algorithms = b"\x02\x01\x01", bytes.fromhex("310b300906052b0e03021a0500")
    data = der(0x30, version + algorithms + encapsulated + der(0x31, b""))
    return der(0x30, bytes.fromhex("06092a864886f70d010702") + der(0xA0, data))


def envelope(content: bytes) -> bytes:
    head = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
    return HEAD + head + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(content)


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_signed_envelope_is_kept_and_read_through(in_pieces: bool) -> None:
    message = read_mail(envelope(signed(INNER, in_pieces=in_pieces)))
    assert (message.text, names(message)) == ("The kettle leaks.", ["smime.p7m", "a.png"])


def test_signed_envelopes_inside_each_other_end_somewhere() -> None:
    content = INNER
    for _ in range(9):
        content = b"Content-Type: application/pkcs7-mime\r\n\r\n" + signed(content)
    assert 1 <= len(read_mail(HEAD + content).attachments) <= 4


def test_a_signed_envelope_cut_off_anywhere() -> None:
    whole = signed(INNER)
    for end in range(0, len(whole), 9):
        assert "smime.p7m" in names(read_mail(envelope(whole[:end])))


def test_what_is_only_signed_beside_is_read() -> None:
    for signature in (b"application/pgp-signature", b"application/pkcs7-signature"):
        message = read_mail(multi(b"signed", TEXT, b"Content-Type: " + signature + b"\n\nx"))
        assert (message.text, len(message.attachments)) == ("The kettle leaks.", 1)


def test_an_encrypted_mail_is_kept_and_named() -> None:
    message = read_mail(
        multi(
            b'encrypted; protocol="application/pgp-encrypted"',
            b"Content-Type: application/pgp-encrypted\n\nVersion: 1",
            b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----",
        )
    )
    assert (message.text, names(message)) == ("", ["version.asc", "encrypted.asc"])


INVITE = (
    "Content-Type: text/calendar; method=REQUEST; charset=utf-8\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\n"
    "SUMMARY;LANGUAGE=zh:退款会议\nLOCATION:上海\\, 3楼\nDESCRIPTION:第一行\\n第二\n 行\nEND:VEVENT\nEND:VCALENDAR"
).encode()


def test_an_invitation_without_any_text_says_what_it_is_about() -> None:
    message = read_mail(HEAD + INVITE)
    assert (message.text, names(message)) == ("退款会议\n上海, 3楼\n第一行\n第二行", ["invite.ics"])
    assert read_mail(multi(b"alternative", TEXT, INVITE)).text == "The kettle leaks."


def test_reports_for_machines_are_read_only_where_nothing_else_is() -> None:
    status = b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed"
    headers = b"Content-Type: text/rfc822-headers\n\nSubject: x"
    bounce = read_mail(multi(b"report; report-type=delivery-status", TEXT, status, headers))
    assert (bounce.text, names(bounce)) == ("The kettle leaks.", [])
    bare = read_mail(multi(b"report; report-type=delivery-status", status))
    assert "Action: failed" in bare.text
    named = b"Content-Type: message/delivery-status; name=details.txt\n\nAction: failed"
    assert names(read_mail(multi(b"mixed", TEXT, named))) == ["details.txt"]


def test_nested_mails_keep_every_byte_at_every_depth() -> None:
    innermost = b"From: c@x.example\r\nSubject: deep\r\n\r\n\xff\0 8-bit \r\r\n"
    inner = b"From: b@x.example\nSubject: inner\nContent-Type: message/rfc822\n\n" + innermost
    message = read_mail(multi(b"mixed", TEXT, b"Content-Type: message/rfc822\n\n" + inner, PNG), with_content=True)
    assert names(message) == ["inner.eml", "a.png"]
    assert message.attachments[0].content == inner
    (deep,) = read_mail(inner, with_content=True).attachments
    assert (deep.shown_name, deep.content) == ("deep.eml", innermost)


def test_an_encoded_nested_mail_is_decoded() -> None:
    inner = b"Subject: inner\n\nx"
    part = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(inner)
    (file,) = read_mail(multi(b"mixed", TEXT, part), with_content=True).attachments
    assert (file.shown_name, file.content) == ("inner.eml", inner)


def test_a_digest_is_a_list_of_mails() -> None:
    message = read_mail(multi(b"digest", b"\nSubject: one\n\nx", b"\nSubject: two\n\ny"))
    assert names(message) == ["one.eml", "two.eml"]


def test_enriched_text() -> None:
    body = b"<bold>Now</bold> <<is> the <color><param>red</param>time</color>"
    assert read_mail(HEAD + b"Content-Type: text/enriched\n\n" + body).text == "Now <is> the time"


def test_inline_is_what_the_html_shows() -> None:
    shown = b"Content-Type: image/png\nContent-ID: <logo@x>\n\nx"
    message = read_mail(multi(b"related", b"Content-Type: text/html\n\n<p>x<img src='cid:logo@x'></p>", shown, PNG))
    assert [(file.shown_name, file.inline) for file in message.attachments] == [("image.png", True), ("a.png", False)]


def test_the_id_does_not_depend_on_how_parts_are_understood() -> None:
    plain = multi(b"mixed", TEXT, b"Content-Type: text/plain; name=a.txt\n\nlog")
    named = plain.replace(b"; name=a.txt", b"; xxxx=a.txt")
    first, second = read_mail(plain), read_mail(named)
    assert len(first.attachments) != len(second.attachments)
    assert first.external_id == second.external_id


def test_a_name_nobody_gave_is_a_title_and_no_name() -> None:
    data = multi(b"mixed", b"Content-Type: application/pdf\nContent-Disposition: attachment\n\nx")
    (file,) = read_mail(data).attachments
    assert (file.name, file.title, file.shown_name) == ("", "attachment.pdf", "attachment.pdf")
