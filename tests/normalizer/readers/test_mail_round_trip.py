"""What a mail program writes is what we read: mails composed by the standard library, in any words and encodings."""

from __future__ import annotations

from email import policy
from email.header import Header
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allears_sdk.message import Message
from normalizer.readers.rfc822 import read_mail

WORDS = {
    "utf-8": "退款订单快递 don’t “quoted” Größe 壊れた Телефон 😀 naïve 𠮷野家",
    "gb18030": "手机屏幕碎了，要求退款！朱镕基喆 订单号：3384756201948857231",
    "big5": "手機螢幕破裂，要求退貨。訂單號碼 12345 發票抬頭",
    "iso-2022-jp": "届いた商品が壊れています。返金してください 注文番号 12345",
    "shift_jis": "届いた商品が壊れています。返金してください 注文番号 12345",
    "euc-kr": "배송이 아직 안 왔어요 환불해 주세요 주문번호 12345",
    "windows-1251": "Телефон сломан, верните деньги. Заказ 12345",
    "koi8-r": "Телефон сломан, верните деньги. Заказ 12345",
    "iso-8859-1": "Gerät ist kaputt, bitte Rückerstattung für Bestellung 12345",
    "iso-8859-2": "Odkurzacz zepsuł się, proszę o zwrot pieniędzy",
    "us-ascii": "The kettle leaks since the second day. Order 114-3941689-8772232",
}
ENCODINGS = st.sampled_from(sorted(WORDS))


@st.composite
def phrases(draw: st.DrawFn, encoding: str, most: int = 12) -> str:
    pieces = draw(st.lists(st.sampled_from(WORDS[encoding].split(" ")), min_size=1, max_size=most))
    return draw(st.sampled_from([" ", ""])).join(pieces)


FILE_NAMES = st.text(alphabet=st.sampled_from("aZ09 -_()'[]&+=,;@#$退款發票ПäÉ한日😀"), min_size=1, max_size=60).map(
    lambda stem: f"{' '.join(stem.split())}.pdf"
)
CONTENTS = st.binary(max_size=300)
FILES = st.lists(st.tuples(FILE_NAMES, CONTENTS), max_size=3)


def squash(text: str) -> str:
    return "".join(text.split())


def check(message: Message, subject: str, name: str, text: str, files: list[tuple[str, bytes]]) -> None:
    assert squash(message.subject) == squash(subject)
    assert (squash(message.author.name), message.author.email) == (squash(name), "jane@x.example")
    assert squash(message.text) == squash(text)
    got = [(squash(file.name), file.content) for file in message.attachments]
    assert got == [(squash(file), content) for file, content in files]


@given(data=st.data(), encoding=ENCODINGS, files=FILES, line_end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_modern_composer(data: st.DataObject, encoding: str, files: list[tuple[str, bytes]], line_end: str) -> None:
    subject, name, text = (data.draw(phrases(encoding)) for _ in range(3))
    name = name.replace(",", "")  # the library writes a comma beside an encoded word bare
    mail = EmailMessage(policy=policy.default.clone(linesep=line_end))
    mail["From"] = formataddr((name, "jane@x.example"), charset="utf-8")
    mail["Subject"] = subject
    mail.set_content(text, charset=encoding, cte=data.draw(st.sampled_from(["base64", "quoted-printable"])))
    if data.draw(st.booleans()):
        mail.add_alternative(f"<p>{text}</p>", subtype="html", charset=encoding, cte="base64")
    for file, content in files:
        mail.add_attachment(content, maintype="application", subtype="pdf", filename=file)
    check(read_mail(mail.as_bytes(), with_content=True), subject, name, text, files)


@given(data=st.data(), encoding=ENCODINGS, files=FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_older_composer(data: st.DataObject, encoding: str, files: list[tuple[str, bytes]]) -> None:
    subject, name, text = (data.draw(phrases(encoding)) for _ in range(3))
    mail = MIMEMultipart()
    mail["From"] = f"{Header(name, encoding).encode()} <jane@x.example>"
    mail["Subject"] = Header(subject, encoding, maxlinelen=data.draw(st.integers(40, 76))).encode()
    mail.attach(MIMEText(text, "plain", encoding))
    for file, content in files:
        part = MIMEApplication(content, "pdf")
        if data.draw(st.booleans()):
            part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", file))
        else:
            part.add_header("Content-Disposition", "attachment", filename=Header(file, "utf-8").encode())
        mail.attach(part)
    check(read_mail(mail.as_bytes(), with_content=True), subject, name, text, files)


@given(data=st.data(), encoding=ENCODINGS)
@settings(max_examples=60, deadline=None)
def test_a_composer_that_knows_no_mime(data: st.DataObject, encoding: str) -> None:
    """Raw bytes in the header, the charset named beside the body: the commonest fault of Chinese mailers."""
    subject, name, text = (data.draw(phrases(encoding)) for _ in range(3))
    head = f'From: "{name}" <jane@x.example>\r\nSubject: {subject}\r\nContent-Type: text/plain; charset={encoding}\r\n'
    check(read_mail(f"{head}\r\n{text}".encode(encoding)), subject, name, text, [])
