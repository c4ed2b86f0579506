"""The reply without quote and signature, in the shapes mail programs give it."""

from __future__ import annotations

import pytest

from allears_sdk.message import Message
from normalizer.trim import new_text

SAID_ZH = "手机收到就是坏的，请给我退款。\n订单号 20240501123。"
SAID_EN = "The phone arrived broken, I want a refund.\nOrder 20240501123."

ZH_QUOTES = {
    "gmail": ("张三 <zhangsan@example.com> 于2024年5月1日周三 10:00写道：\n\n> 您好，请问有什么可以帮您？\n> 客服"),
    "gmail wrapped": (
        "客服中心 <service-center-with-a-long-name@shop.example.com> 于2024年5月1日周三\n上午10:00写道：\n\n> 您好"
    ),
    "netease": '在 2024-05-01 10:00:00，"客服" <kf@shop.example.cn> 写道：\n\n您好，请提供订单号。',
    "netease english": 'At 2024-05-01 10:00:00, "客服" <kf@shop.example.cn> wrote:\n\n>您好，请提供订单号。',
    "apple": "在 2024年5月1日，上午10:00，客服 <kf@shop.example.cn> 写道：\n\n> 您好",
    "yu": "于 2024/5/1 10:00, 客服 写道:\n> 您好",
    "qq": (
        '------------------ 原始邮件 ------------------\n发件人: "客服" <kf@shop.example.cn>;\n'
        '发送时间: 2024年5月1日(星期三) 上午10:00\n收件人: "张三"<zs@qq.com>;\n主题: 回复: 手机\n\n'
        "您好"
    ),
    "qq english": (
        '------------------ Original ------------------\nFrom: "客服" <kf@shop.example.cn>;\n'
        'Date: Wed, May 1, 2024 10:00 AM\nTo: "张三"<zs@qq.com>;\nSubject: Re: phone\n\n您好'
    ),
    "foxmail": (
        "\n\nzs@foxmail.com\n \n发件人： 客服\n发送时间： 2024-05-01 10:00\n收件人： zs@foxmail.com\n"
        "主题： 回复: 手机\n您好"
    ),
    "outlook": (
        "________________________________\n发件人: 客服 <kf@shop.example.cn>\n"
        "发送时间: 2024年5月1日 10:00\n收件人: 张三 <zs@outlook.com>\n主题: 回复: 手机\n\n您好"
    ),
    "dingtalk": (
        "------------------------------------------------------------------\n"
        "发件人：客服<kf@shop.example.cn>\n发送时间：2024年5月1日(星期三) 10:00\n"
        "收件人：张三<zs@dingtalk.com>\n主　题：回复：手机\n\n您好"
    ),
    "netease new": (
        "---- 回复的原邮件 ----\n| 发件人 | 客服<kf@shop.example.cn> |\n"
        "| 日期 | 2024年05月01日 10:00 |\n| 收件人 | <zs@163.com> |\n| 主题 | 回复：手机 |\n您好"
    ),
    "traditional": (
        "寄件者: 客服 <kf@shop.example.tw>\n寄件日期: 2024年5月1日 上午 10:00\n"
        "收件者: 王小明 <wang@example.tw>\n主旨: RE: 手機\n\n您好"
    ),
    "traditional gmail": "客服 <kf@shop.example.tw> 於 2024年5月1日 週三 上午10:00寫道：\n\n> 您好",
}

OTHER_QUOTES = {
    "en gmail": "On Wed, May 1, 2024 at 10:00 AM Support <help@shop.example> wrote:\n\n> Hello",
    "en split": (
        "On Wed, May 1, 2024 at 10:00 AM The Support Team of The Shop <\n"
        "help-with-a-long-address@shop.example> wrote:\n\n> Hello"
    ),
    "en apple": "> On 1 May 2024, at 10:00, Support <help@shop.example> wrote:\n> \n> Hello",
    "en outlook": (
        "From: Support <help@shop.example>\nSent: Wednesday, May 1, 2024 10:00 AM\n"
        "To: Jane <jane@example.com>\nSubject: RE: broken\n\nHello"
    ),
    "en bold": (
        "*From:* Support <help@shop.example>\n*Sent:* Wednesday, May 1, 2024 10:00 AM\n"
        "*To:* Jane <jane@example.com>\n*Subject:* RE: broken\n\nHello"
    ),
    "en original": "-----Original Message-----\nFrom: help@shop.example\nTo: jane@example.com\n\nHello",
    "de": "Am Mi., 1. Mai 2024 um 10:00 Uhr schrieb Support <help@shop.example>:\n\n> Hallo",
    "de outlook": (
        "Von: Support <help@shop.example>\nGesendet: Mittwoch, 1. Mai 2024 10:00\nAn: Hans\n"
        "Betreff: AW: kaputt\n\nHallo"
    ),
    "fr": "Le mer. 1 mai 2024 à 10:00, Support <help@shop.example> a écrit :\n\n> Bonjour",
    "es": "El mié, 1 may 2024 a las 10:00, Soporte (<help@shop.example>) escribió:\n\n> Hola",
    "es outlook": (
        "De: Soporte <help@shop.example>\nEnviado el: miércoles, 1 de mayo de 2024 10:00\n"
        "Para: Juan\nAsunto: RE: roto\n\nHola"
    ),
    "it": "Il giorno mer 1 mag 2024 alle ore 10:00 Supporto <help@shop.example> ha scritto:\n\n> Ciao",
    "pt": "Em qua., 1 de mai. de 2024 às 10:00, Suporte <help@shop.example> escreveu:\n\n> Olá",
    "nl": "Op wo 1 mei 2024 om 10:00 schreef Support <help@shop.example>:\n\n> Hallo",
    "ru": "ср, 1 мая 2024 г. в 10:00, Поддержка <help@shop.example>:\n\n> Здравствуйте",
    "ru yandex": '01.05.2024, 10:00, "Поддержка" <help@shop.example>:\nЗдравствуйте',
    "ru mail": "Среда, 1 мая 2024, 10:00 +03:00 от Поддержка <help@shop.example>:\n \nЗдравствуйте",
    "sv": "Den ons 1 maj 2024 kl 10:00 skrev Support <help@shop.example>:\n\n> Hej",
    "da": "Fra: Support <help@shop.example>\nSendt: 1. maj 2024 10:00\nTil: Jens\nEmne: SV: itu\n\nHej",
    "no": "ons. 1. mai 2024 kl. 10:00 skrev Support <help@shop.example>:\n\n> Hei",
    "fi": "ke 1. toukok. 2024 klo 10.00 Tuki (help@shop.example) kirjoitti:\n\n> Hei",
    "pl": "śr., 1 maj 2024 o 10:00 Pomoc <help@shop.example> napisał(a):\n\n> Witam",
    "ja": "2024年5月1日(水) 10:00 サポート <help@shop.example>:\n\n> こんにちは",
    "ja outlook": (
        "差出人: サポート <help@shop.example>\n送信日時: 2024年5月1日 10:00\n宛先: 山田\n件名: Re: 故障\n\nこんにちは"
    ),
    "ko": "2024년 5월 1일 (수) 오전 10:00, 고객센터 <help@shop.example>님이 작성:\n\n> 안녕하세요",
    "tr": "Destek <help@shop.example>, 1 May 2024 Çar, 10:00 tarihinde şunu yazdı:\n\n> Merhaba",
}

SIGNATURES = [
    "-- \nZhang San\n13800138000",
    "--\nJane Doe\nAcme Ltd",
    "发自我的iPhone",
    "发自我的 iPhone",
    "從我的 iPhone 傳送",
    "发自我的华为手机",
    "来自我的小米手机",
    "发送自 Outlook for iOS",
    "从 Windows 版邮件发送",
    "获取 Outlook for Android",
    "发自QQ邮箱",
    "| |\n张三\n|\n|\nzs@163.com\n|\n签名由网易邮箱大师定制",
    "Sent from my iPhone",
    "Sent from my Huawei Mobile",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "Sent from Yahoo Mail for iPhone",
    "Sent from Mail for Windows",
    "Von meinem iPhone gesendet",
    "Gesendet von Outlook für Android",
    "Envoyé de mon iPhone",
    "Enviado desde mi iPhone",
    "Inviato da iPhone",
    "Verzonden vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Отправлено с iPhone",
    "iPhoneから送信",
    "Wysłane z iPhone'a",
    "Enviado do meu iPhone",
    "Best regards,\nJane Doe",
    "Kind regards\n\nJane Doe\nAcme Ltd",
    "Mit freundlichen Grüßen\nHans Meier",
    "Cordialement,\nMarie",
    "此致\n敬礼\n张三",
    "祝好\n张三",
    "С уважением,\nИван",
]


def reply(text: str) -> str:
    return new_text(Message(text=text, subject="Re: broken", thread=("a@b",)))


@pytest.mark.parametrize("quote", ZH_QUOTES.values(), ids=ZH_QUOTES)
def test_chinese_quotes_are_cut(quote: str) -> None:
    assert reply(f"{SAID_ZH}\n\n{quote}") == SAID_ZH


@pytest.mark.parametrize("quote", OTHER_QUOTES.values(), ids=OTHER_QUOTES)
def test_quotes_of_other_languages_are_cut(quote: str) -> None:
    assert reply(f"{SAID_EN}\n\n{quote}") == SAID_EN


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("said", [SAID_ZH, SAID_EN], ids=["zh", "en"])
def test_signatures_are_cut(said: str, signature: str) -> None:
    assert reply(f"{said}\n\n{signature}") == said


def test_signature_above_the_quote_is_cut_too() -> None:
    text = f"{SAID_ZH}\n\n发自我的iPhone\n\n{ZH_QUOTES['qq']}"
    assert reply(text) == SAID_ZH


def test_answer_below_the_quote_is_kept() -> None:
    assert reply(f"On 1 May 2024 at 10:00, Support wrote:\n> Which order?\n> Please tell.\n\n{SAID_EN}") == SAID_EN


def test_answers_between_quoted_lines_are_kept_in_order() -> None:
    text = "On 1 May 2024, Support wrote:\n> Which order?\nNumber 77.\n> Which colour?\n红色。\n> Thanks"
    assert reply(text) == "Number 77.\n红色。"


def test_a_wrapped_quoted_line_takes_its_rest_along() -> None:
    long = "> " + "a rather long quoted line that the mail program has wrapped without mark"
    assert reply(f"{SAID_EN}\n\nOn 1 May 2024 at 10:00, Support wrote:\n{long}\nat its end\n> more") == SAID_EN


@pytest.mark.parametrize(
    "text",
    [
        "I flew\nFrom: London\nTo: Paris\nDate: 3 May 2024\nand my bag is lost.",
        "出发地：北京\n日期：2024年5月1日\n时间：10:00\n行李丢了。",
        "On 3 May 2024 I called and your agent promised a refund.\nNothing came.",
        "Your agent wrote: we are sorry. I am not satisfied.",
        "来自北京的客户，非常不满意。\n请尽快处理。",
        "收件人：张三\n电话：13800138000\n地址：上海市\n快递一直没到。",
        "Best wishes to your team, but my order 123 is late.",
        "Subject matter: refund\nI want my money back.",
        "质量太差！\n\n谢谢",
        "The parcel's label says\nSent from Shanghai on 3 May\nbut it never left.",
        "包裹显示\n发自上海仓库\n之后没有任何更新。",
        "于是我在5月1日10:00打电话给客服：没人接。\n太差了。",
    ],
)
def test_what_only_looks_like_a_quote_stays(text: str) -> None:
    assert reply(text) == text


def test_a_first_message_is_never_trimmed_away() -> None:
    message = Message(text="> pasted from your chat:\n> the agent was rude")
    assert new_text(message) == message.text


def test_an_answer_that_says_nothing_new_is_empty() -> None:
    assert reply("On 1 May 2024 at 10:00, Support wrote:\n> Which order?") == ""


def test_a_forward_is_given_whole() -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Jane <j@example.com>\n\nbroken"
    assert new_text(Message(text=text, original=Message(text="broken"))) == text


OTHER_HELP_DESKS = [
    "##- Please type your reply above this line -##\n\nYour request was updated.",
    "--- 请在此行上方回复 ---\n您好",
    ">>> Support <help@shop.example> 05/01/24 10:00 AM >>>\nhello",
    "Support/Shop wrote on 05/01/2024 10:00:00 AM:\n\n> hello",
    "John Smith wrote:\n> hello",
    "----邮件原文----\n发件人：客服 <kf@shop.example>\n收 件 人：b\n主　题：x\n\nhi",
]


@pytest.mark.parametrize("quote", OTHER_HELP_DESKS)
def test_rarer_announcements_are_cut(quote: str) -> None:
    assert reply(f"{SAID_EN}\n\n{quote}") == SAID_EN


def test_disclaimers_go() -> None:
    assert reply(f"{SAID_EN}\n\nCONFIDENTIALITY NOTICE: this is for the addressee only.\nDelete it.") == SAID_EN
