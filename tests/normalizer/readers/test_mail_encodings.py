"""Bytes in undeclared, wrong and mixed encodings → the words that were written."""

from __future__ import annotations

import base64

import pytest

from normalizer.readers.charset import decode, resolve
from normalizer.readers.rfc822 import read_mail

LONG = {
    "gbk": "手机屏幕碎了，要求退款",
    "gb18030": "朱镕基喆的订单没有发货，请尽快处理",
    "big5": "手機螢幕破裂，要求退貨",
    "shift_jis": "届いた商品が壊れています。返金してください",
    "euc-jp": "届いた商品が壊れています。返金してください",
    "iso-2022-jp": "届いた商品が壊れています。返金してください",
    "euc-kr": "배송이 아직 안 왔어요 환불해 주세요",
    "cp1251": "Телефон сломан, верните деньги",
    "koi8-r": "Телефон сломан, верните деньги",
    "cp1252": "Gerät ist kaputt – bitte Rückerstattung",
    "cp1253": "Το τηλέφωνο χάλασε, θέλω τα χρήματά μου",
    "cp1255": "הטלפון התקלקל אני רוצה החזר כספי",
    "cp1256": "الهاتف معطل أريد استرداد المبلغ",
    "tis-620": "โทรศัพท์เสีย ขอคืนเงิน",
    "utf-8": "手机屏幕碎了，要求退款",
}
SHORT = {
    "gbk": [
        "退款",
        "投诉",
        "张三",
        "发票.pdf",
        "Re:退款进度",
        "买的T恤",
        "订单A1坏了",
        "《关于退款的函》.doc",
        "QQ截图20240501.png",
        "微信图片_1.jpg",
    ],
    "big5": ["退貨", "發票", "您好", "客訴", "張小姐", "報價單.pdf", "訂單A12345未到貨", "圖片1.jpg"],
    "shift_jis": ["返金", "壊れた", "請求書.pdf", "テスト", "返品の件"],
    "euc-jp": ["返金してください", "テスト", "お問い合わせの件"],
    "euc-kr": ["환불해 주세요", "사진.jpg"],
}


@pytest.mark.parametrize("encoding", LONG)
def test_raw_headers_without_any_charset(encoding: str) -> None:
    words = LONG[encoding].encode(encoding)
    message = read_mail(b'From: "%s" <a@b.example>\nSubject: %s\n\nx' % (words, words))
    assert (message.subject, message.author.name) == (LONG[encoding], LONG[encoding])


@pytest.mark.parametrize("encoding", LONG)
@pytest.mark.parametrize("declared", [b"", b"; charset=x-unknown", b"; charset=us-ascii", b"; charset=iso-8859-1"])
def test_a_body_without_a_charset_or_with_the_least_of_all(encoding: str, declared: bytes) -> None:
    data = b"From: a@b.example\nContent-Type: text/plain%s\n\n%s" % (declared, LONG[encoding].encode(encoding))
    assert read_mail(data).text == LONG[encoding]


@pytest.mark.parametrize(("encoding", "words"), [(name, word) for name, words in SHORT.items() for word in words])
def test_a_few_characters_are_enough(encoding: str, words: str) -> None:
    assert decode(words.encode(encoding)) == words


@pytest.mark.parametrize("declared", ["", "iso-8859-1", "windows-1252", "us-ascii", "utf-8"])
@pytest.mark.parametrize(
    "words",
    [
        "It’s broken – I don’t think “you” care…",
        "don’t",
        "“Hello”",
        "Bonjour, j’ai été déçu par l’appareil reçu à Noël : il est cassé. Ma sœur aussi",
        "été",
        "Créée",
        "Größe und Übergröße",
        "¿Dónde está mi pedido? ¡Qué vergüenza! Señor Muñoz, año",
        "Não recebi a devolução",
        "Får inte öppna räkningen, köp",
        "Það er bilað, ég vil fá endurgreitt",
        "Preis 50 €, 20 £ und § 5",
        "• one\n• two\n• three",
        "20°C ±5",
    ],
)
def test_western_words_never_become_chinese(words: str, declared: str) -> None:
    assert decode(words.encode("cp1252"), declared) == words


def test_polish_without_a_charset() -> None:
    words = "Odkurzacz zepsuł się. Właśnie proszę o zwrot pieniędzy, jestem wściekły"
    assert decode(words.encode("cp1250")) == words
    assert decode(words.encode("iso-8859-2")) == words


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("koi8-r", "Здравствуйте, заказ не пришёл."),
        ("koi8-r", "Добрый день! Прошу вернуть деньги за заказ 4411, товар не работает."),
        ("cp1256", "لم يصل الطلب حتى الآن"),
        ("cp874", "สวัสดีครับ ผมสั่งสินค้าไปแล้ว แต่ยังไม่ได้รับ"),
        ("cp1250", "Zboží ještě nedorazilo, prosím řešte."),
        ("iso-8859-2", "Zboží ještě nedorazilo, prosím řešte."),
        ("cp1250", "Dobrý den, žádám o vrácení peněz za rozbitý telefon."),
        ("iso-8859-2", "Objednávka číslo 12 je poškozená"),
        ("cp1250", "Výrobok je poškodený, chcem vrátiť peniaze"),
        ("cp1250", "Naročilo še ni prispelo, želim vračilo"),
        ("cp1252", "Jeg er ikke fornøjd, pakken kom først søndag"),
        ("cp1252", "Où est mon colis ? Très déçu, après tant de problèmes à Genève"),
        ("cp1252", "Città e perché non è più arrivato"),
        ("gbk", "您好，我的订单没有收到。"),
        ("cp949", "주문한 상품이 아직 도착하지 않았습니다."),
    ],
)
def test_words_of_many_languages_without_a_charset(encoding: str, words: str) -> None:
    assert decode(words.encode(encoding)) == words
    data = b"From: a@b.example\nSubject: %s\n\n%s" % (words.encode(encoding), words.encode(encoding))
    message = read_mail(data)
    assert (message.subject, message.text) == (words, words)


def test_foreign_words_far_down() -> None:
    words = "您好，我的订单没有收到，请退款。"
    assert decode(b"order no. 4411, " * 50 + words.encode("gbk")).endswith(words)


@pytest.mark.parametrize("written", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_and_without_a_mark(written: str) -> None:
    words = "Order 4411: 手机屏幕碎了"
    assert decode(words.encode(written), "utf-16") == words


def test_emoji_as_databases_write_them() -> None:
    halves = "坏了\ud83d\ude20！".encode("utf-8", "surrogatepass")
    assert decode(halves, "utf-8") == decode(halves) == "坏了😠！"


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("gb2312", "gb18030"),
        ("GB_2312-80", "gbk"),
        ("gbk", "utf-8"),
        ("utf-8", "gbk"),
        ("utf-8", "gb18030"),
        ("big5", "big5hkscs"),
        ("utf-7", "utf-7"),
        ("hz-gb-2312", "hz"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("utf-16", "utf-16"),
        ("UTF-16LE", "utf-16-le"),
    ],
)
def test_wrong_and_odd_declarations(declared: str, written: str) -> None:
    words = "退款申請，電話無人接聽" if "big5" in declared else "退款申请，电话没人接，朱小姐"
    assert decode(words.encode(written), declared) == words


def test_a_charset_in_an_html_document_counts_where_no_other_does() -> None:
    data = b"From: a@b.example\nContent-Type: text/html\n\n<meta charset=gbk><p>%s</p>" % "喆先生".encode("gbk")
    assert read_mail(data).text == "喆先生"
    xhtml = '<?xml version="1.0" encoding="iso-8859-2"?><html><body>zażółć</body></html>'.encode("iso-8859-2")
    assert read_mail(b"From: a@b.example\nContent-Type: text/html\n\n" + xhtml).text == "zażółć"


def test_one_encoding_quoted_in_another() -> None:
    data = "您好，附上原来的邮件：\n谢谢！\n".encode() + b"> " + "屏幕碎了，要求换货".encode("gbk")
    assert decode(data, "utf-8") == "您好，附上原来的邮件：\n谢谢！\n> 屏幕碎了，要求换货"


def test_an_iso_2022_mail_is_known_by_its_escapes() -> None:
    for declared in ("", "utf-8", "iso-2022-jp", "us-ascii"):
        assert decode("壊れています".encode("iso-2022-jp"), declared) == "壊れています"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("GB2312", "gb18030"),
        ("'utf-8'", "utf-8"),
        ("utf-8//ignore", "utf-8"),
        ("x-iso-8859-1", "cp1252"),
        ("ISO-8859-8-I", "cp1255"),
        ("win-1251", "cp1251"),
        ("koi8r", "koi8-r"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("x-mac-ce", "mac-latin2"),
        ("cp-850", "cp850"),
        ("ISO8859_1", "cp1252"),
        ("gb2312;format=flowed", "gb18030"),
        ("punycode", ""),
        ("x-no-such-charset", ""),
    ],
)
def test_charset_names(name: str, codec: str) -> None:
    assert resolve(name) == codec


def word(text: str, encoding: str = "utf-8", cut: tuple[int, int | None] = (0, None)) -> bytes:
    return b"=?%s?B?%s?=" % (encoding.encode(), base64.b64encode(text.encode(encoding)[cut[0] : cut[1]]))


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?windows-1252?Q?It=92s_broken?=", "It’s broken"),
        (word("明天", "gb2312", (0, 1)) + word("明天", "gb2312", (1, None)), "明天"),
        (word("手机", cut=(0, 4)) + b"\r\n " + word("手机", cut=(4, None)), "手机"),
        (b"=?utf-8?Q?=E6=89=8B=\r\n =E6=9C=BA?=", "手机"),
        (b"=?utf-8?B?5omL5py6? =", "手机"),
        (b"=?utf-8?B?5omL5py6", "手机"),
        (b"=?utf-8?Q?a b =E6=89=8B?=", "a b 手"),
        (b"=?utf-8?Q?a?b?c?=", "a?b?c"),
        (b"=?iso-8859-1?Q?=CA=D6=BB=FA=BB=B5=C1=CB?=", "手机坏了"),
        (b"=?utf-8?B?yta7+ru1wcs=?=", "手机坏了"),
        (b"=?us-ascii?Q?=E6=89=8B?=", "手"),
        (b"=?unknown-8bit?B?5omL5py6?=", "手机"),
        (b"=?UTF-7?Q?+YktnOg-?=", "手机"),
        (word("壊れた", "iso-2022-jp"), "壊れた"),
        (b"=?utf-8?q?a?= " + word("手机", "gbk"), "a手机"),
        (b"x=?utf-8?B?5omL5py6?=y", "x手机y"),
        (b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        (b"=?utf-8?B??=", ""),
    ],
)
def test_broken_encoded_words(raw: bytes, subject: str) -> None:
    assert read_mail(b"Subject: " + raw + b"\n\nx").subject == subject


@pytest.mark.parametrize(
    ("field", "name", "email"),
    [
        (b'"john smith"@x.example', "", '"john smith"@x.example'),
        (b'"Jane" [mailto:jane@x.example]', "Jane", "jane@x.example"),
        (b'"Jane <jane@x.example>" <jane@x.example>', "Jane <jane@x.example>", "jane@x.example"),
        (b"Jane <<jane@x.example>>", "Jane", "jane@x.example"),
        (b"Jane <jane@x.example> <other@x.example>", "Jane", "jane@x.example"),
        (b"Jane <jane@x.example", "Jane", "jane@x.example"),
        (b"jane@x.example Jane", "Jane", "jane@x.example"),
        (b"<@relay.example:jane@x.example>", "", "jane@x.example"),
        (b"o'brien@x.example", "", "o'brien@x.example"),
        (b"Jo O'Brien <o'brien@x.example>", "Jo O'Brien", "o'brien@x.example"),
        (b"'jane@x.example'", "", "jane@x.example"),
        (b'Jane <"jane doe"@x.example>', "Jane", '"jane doe"@x.example'),
        (b"Jane Doe &lt;jane@x.example&gt;", "Jane Doe", "jane@x.example"),
        (b"Jane Doe/Shop/DE <jane@x.example>", "Jane Doe/Shop/DE", "jane@x.example"),
        (b"Jane Doe <jane@x.example> (Sales)", "Jane Doe", "jane@x.example"),
        (b"Shop: Jane <jane@x.example>", "Shop: Jane", "jane@x.example"),
        (b"Mail Delivery System <>", "Mail Delivery System", ""),
        (b'"\xd5\xc5,\xc8\xfd" <zs@x.example>', "张,三", "zs@x.example"),
        ("张三@例子.公司".encode("gbk"), "", "张三@例子.公司"),
    ],
)
def test_senders_as_they_are_written(field: bytes, name: str, email: str) -> None:
    author = read_mail(b"From: " + field + b"\n\nx").author
    assert (author.name, author.email) == (name, email)
