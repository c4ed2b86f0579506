"""Announcements, header blocks and signatures put together in every combination: languages, names, wrapping, styles
of quotation. Work grows with the length of a text only."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from normalizer.trim import trim_reply

SAID = ("The lamp is broken.\nPlease replace it.", "灯坏了，请换一个。", "Hallo,\n\ndie Lampe ist defekt")
NAMES = ("Support", "Northfield Customer Care and Warranty", "客服中心", "O'Neil, Pat (Care)")
ADDRESSES = ("help@shop.example", "a-very-long-address-of-the-after-sales-service@customer-care.shop.example")

ANNOUNCEMENTS = """\
On Wed, May 1, 2024 at 10:00 AM X <a> wrote:
On Wed, 1 May 2024 at 10:00, X <a> wrote:
On 5/1/2024 10:00 AM, X wrote:
On Wednesday, May 1, 2024 at 10:00:00 AM GMT+2, X <a> wrote:
Am Mi., 1. Mai 2024 um 10:00 Uhr schrieb X <a>:
Am 01.05.24 um 10:00 schrieb X:
Le mer. 1 mai 2024 à 10:00, X <a> a écrit :
El mié, 1 may 2024 a las 10:00, X (<a>) escribió:
Il giorno mer 1 mag 2024 alle ore 10:00 X <a> ha scritto:
Em qua., 1 de mai. de 2024 às 10:00, X <a> escreveu:
X <a> escreveu (quarta, 1/05/2024 à(s) 10:00):
Op wo 1 mei 2024 om 10:00 schreef X <a>:
śr., 1 maj 2024 o 10:00 X <a> napisał(a):
Den ons 1 maj 2024 kl 10:00 skrev X <a>:
ons. 1. mai 2024 kl. 10:00 skrev X <a>:
ke 1. toukok. 2024 klo 10.00 X (a) kirjoitti:
st 1. 5. 2024 v 10:00 odesílatel X <a> napsal:
X <a> ezt írta (időpont: 2024. máj. 1., Sze, 10:00):
Pe mie., 1 mai 2024 la 10:00, X <a> a scris:
На ср, 1.05.2024 г. в 10:00 X <a> написа:
sri, 1. svi 2024. u 10:00 X <a> napisao je:
V sre., 1. maj 2024 ob 10:00 je oseba X <a> napisala:
Στις Τετ 1 Μαΐ 2024 στις 10:00 π.μ., ο/η X <a> έγραψε:
ср, 1 мая 2024 г. в 10:00, X <a>:
ср, 1 трав. 2024 р. о 10:00 X <a> пише:
2024年5月1日(水) 10:00 X <a>:
2024/05/01 10:00、X <a>のメール:
2024년 5월 1일 (수) 오전 10:00, X <a>님이 작성:
X <a> 于2024年5月1日周三 10:00写道：
在 2024-05-01 10:00:00，"X" <a> 写道：
X <a> 於 2024年5月1日 週三 上午10:00寫道：
Vào Th 4, 1 thg 5, 2024 vào lúc 10:00 X <a> đã viết:
Pada tanggal Rab, 1 Mei 2024 pukul 10.00 X <a> menulis:
في الأربعاء، ١ مايو ٢٠٢٤ في ١٠:٠٠ ص تمت كتابة ما يلي بواسطة X <a>:
בתאריך יום ד׳, 1 במאי 2024 ב-10:00 מאת X <a>:
O mér, 1 maio 2024 ás 10:00, X (<a>) escribiu:""".splitlines()

LABELS = """\
From|Sent|To|Subject
Von|Gesendet|An|Betreff
De|Envoyé|À|Objet
De|Enviado el|Para|Asunto
De|Enviada em|Para|Assunto
Da|Inviato|A|Oggetto
Van|Verzonden|Aan|Onderwerp
Från|Skickat|Till|Ämne
Fra|Sendt|Til|Emne
Lähettäjä|Lähetetty|Vastaanottaja|Aihe
Od|Wysłano|Do|Temat
Od|Odesláno|Komu|Předmět
Feladó|Elküldve|Címzett|Tárgy
De la|Trimis|Către|Subiect
От|Отправлено|Кому|Тема
Від|Надіслано|Кому|Тема
От|Изпратено|До|Относно
Šalje|Poslano|Prima|Predmet
Gönderen|Tarih|Kime|Konu
Από|Στάλθηκε|Προς|Θέμα
מאת|נשלח|אל|נושא
من|تم الإرسال|إلى|الموضوع
Từ|Đã gửi|Đến|Chủ đề
จาก|ส่งเมื่อ|ถึง|เรื่อง
Dari|Dikirim|Kepada|Subjek
发件人|发送时间|收件人|主题
寄件者|寄件日期|收件者|主旨
差出人|送信日時|宛先|件名
보낸 사람|보낸 날짜|받는 사람|제목
Saatjake|Ajal|Kellele|Pealkirjake""".splitlines()
"""The last language is nobody's: shape alone tells."""

SENT_FROM = """\
Sent from my iPhone
Sent from my iPad, please excuse typos
Sent from my Verizon, Samsung Galaxy smartphone
Sent from Outlook for Android<https://aka.ms/AAb9ysg>
Sent from Mail for Windows
Sent via the Samsung Galaxy S21 5G, an AT&T 5G smartphone
Sent with Proton Mail secure email.
Get Outlook for iOS
Von meinem iPad gesendet
Gesendet mit der GMX Mail App
Gesendet von Mail für Windows
Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.
Envoyé de mon iPhone
Envoyé à partir de Outlook pour Android
Provenance : Courrier pour Windows 10
Télécharger Outlook pour iOS
Enviado desde mi iPhone
Obtener Outlook para Android
Enviado do meu iPhone
Enviado do Email para Windows 10
Inviato da Outlook per iOS
Inviato da Posta per Windows 10
Verstuurd vanaf mijn iPad
Verzonden vanuit Mail voor Windows 10
Skickat från min iPhone
Skickat från E-post för Windows 10
Sendt fra min iPad
Sendt fra Outlook til Android
Lähetetty iPhonesta
Wysłane z iPhone'a
Wysłane z aplikacji Poczta dla Windows 10
Odesláno z iPhonu
Отправлено с iPhone
Отправлено из мобильной Почты Mail
Надіслано з iPhone
iPhone'umdan gönderildi
Windows 10 版のメールから送信
iPhoneから送信
나의 iPhone에서 보냄
Windows용 메일에서 보냄
发自我的iPad
发自我的 HUAWEI Mate 60 Pro
来自我的小米手机
从 Windows 版邮件发送
发送自 Outlook for iOS
發自我的 iPhone
從我的 iPhone 傳送
從 Windows 的郵件傳送
تم الإرسال من الـ iPhone
נשלח מה-iPhone שלי
Được gửi từ iPhone của tôi
ส่งจาก iPhone ของฉัน
Dikirim dari iPhone saya""".splitlines()

PROSE_THAT_BEGINS_SO = """\
Sent from my old address, which your shop never changed
Enviado por Correos el lunes
Von meinem Geld habe ich nichts gesehen, von meinem iPhone auch nichts
发自上海的货到现在没到
来自北京的投诉
从我的账户扣了两次
使用手机三天就坏了
通过客服邮箱联系过三次
Lähetetty väärä tuote
Yanlış ürün gönderildi
Dikirim ke alamat salah""".splitlines()


def squashed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("template", ANNOUNCEMENTS)
@pytest.mark.parametrize("name", NAMES)
def test_announcements_however_wrapped(template: str, name: str) -> None:
    for address in ADDRESSES:
        announcement = template.replace("X", name).replace("<a>", f"<{address}>").replace("(a)", f"({address})")
        for width in (400, 78, 64):
            lines = textwrap.wrap(announcement, width, break_long_words=False, break_on_hyphens=False)
            head = "\n".join(lines)
            shapes = (f"{head}\n\n> Hello\n> there", f"{head}\n>Hello", f"{head}\n\nHello there,\nit is on its way.")
            marked = "\n".join(f"> {line}" for line in [*lines, "", "Hello"])
            for below in (*shapes[: 3 if len(lines) <= 4 else 0], marked):
                for said in SAID:
                    assert squashed(trim_reply(f"{said}\n\n{below}")) == squashed(said)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("style", ["{}: {}", "*{}:* {}", "*{}: *{}", "{} : {}", "{}：{}", "{}:\t{}", "{}\u00a0: {}"])
def test_header_blocks_in_every_style(labels: str, style: str) -> None:
    values = ("Support <help@shop.example>", "01.05.2024 10:00", "Jane Doe", "Re: lamp")
    fields = [style.format(label, value) for label, value in zip(labels.split("|"), values, strict=True)]
    for rule in ("", "_" * 32 + "\n", "-----Original Message-----\n"):
        block = "\n".join(fields)
        for said in SAID:
            assert squashed(trim_reply(f"{said}\n\n{rule}{block}\n\nHello Jane")) == squashed(said)


@pytest.mark.parametrize("line", SENT_FROM)
@pytest.mark.parametrize("said", SAID)
def test_devices_sign(said: str, line: str) -> None:
    for text in (f"{said}\n\n{line}", f"{said}\n{line}", f"{said}\n\n{line}\n\nOn 5/1/2024 10:00 AM, X wrote:\n> a"):
        assert squashed(trim_reply(text)) == squashed(said)


@pytest.mark.parametrize("line", PROSE_THAT_BEGINS_SO)
def test_sentences_that_begin_like_a_device_line_stay(line: str) -> None:
    assert trim_reply(f"The lamp is broken\n\n{line}") == f"The lamp is broken\n\n{line}"


HOSTILE: dict[str, Callable[[int], str]] = {
    "quotes": lambda count: ">\n" * count,
    "quotes by turns": lambda count: "a\n>\n" * count,
    "announcements": lambda count: "On 1 May 2024 10:00 a@b wrote:\n" * count,
    "announcements, nothing said": lambda count: "\nOn 1 May 2024 10:00 a@b wrote:\n> x\n" * count,
    "halves of announcements": lambda count: "On 1 May 2024 10:00 a@b\n" * count,
    "senders": lambda count: "From: a@b\n" * count,
    "fields": lambda count: "x: a <a@b.c>\n" * count,
    "colons": lambda count: ":\n" * count,
    "titles": lambda count: "-- x --\n" * count,
    "rules": lambda count: "----\n" * count,
    "delimiters": lambda count: "a\n--\n" * count,
    "closings": lambda count: "Regards\n" * count,
    "paragraphs": lambda count: "Thanks\n\n" * count,
    "blanks": lambda count: "\n" * count,
    "one line": lambda count: "On 1 May 2024 <a@b> " * count + "wrote:",
    "one line of colons": lambda count: ":" * 20 * count,
}


def calls_of(text: str) -> int:
    """How many functions are called: work that does not depend on the clock."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        trim_reply(text)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_work_grows_with_length_only(text: Callable[[int], str]) -> None:
    assert calls_of(text(1_600)) <= 2.2 * calls_of(text(800)) + 200


def test_plain_text_costs_few_calls_a_line() -> None:
    lines = 200
    text = "I have been waiting for my refund for three weeks now\nand nobody has answered me\n\n" * (lines // 3)
    assert calls_of(text) <= 16 * lines
