"""Which words are taken for what, and which must not be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allears_sdk.complaint import Entities
from allears_sdk.message import Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, tzinfo=UTC)


def entities(text: str) -> Entities:
    heard = (Heard(message=Message(text=text, external_id="1"), received_at=AT),)
    return derive(
        Conversation(reference="ALE", opened_at=AT, messages=heard), Facts(channel="c", connector="form")
    ).entities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("订单号3391026174850263917 给退了吧", Entities(order=("3391026174850263917",))),
        ("合同号HT-0922-118，付了8000元", Entities(order=("HT-0922-118",), amount=("8000元",))),
        ("Order 206-1184203-5529817, £164.99", Entities(order=("206-1184203-5529817",), amount=("£164.99",))),
        ("my order #2375 is late", Entities(order=("#2375",))),
        ("快递单号 78430022947316 一直不动", Entities(tracking=("78430022947316",))),
        ("SF1530046628917 卡在鄂州三天了", Entities(tracking=("SF1530046628917",))),
        ("Tracking (1Z91W0680472335517) says delivered", Entities(tracking=("1Z91W0680472335517",))),
        ("手机 138 0013 8000，座机 0755-8600 0123", Entities(phone=("138 0013 8000", "0755-8600 0123"))),
        ("139****5521（微信同号）", Entities(phone=("139****5521",))),
        ("打400-818-0000没人接", Entities(phone=("400-818-0000",))),
        ("call me on +44 7700 900456 or 503-555-0147", Entities(phone=("+44 7700 900456", "503-555-0147"))),
        ("加我薇❤ may_rose88", Entities(wechat=("may_rose88",))),
        (
            "邮箱 xu.wen@qinghe.example 微信：chen_2203",
            Entities(email=("xu.wen@qinghe.example",), wechat=("chen_2203",)),
        ),
        ("找王经理，他姓王；联系人：许文清", Entities(person=("王经理", "许文清"))),
        ("I spoke to Ms Lin about it", Entities(person=("Lin",))),
        ("型号 CR-D450 坏了", Entities(product=("CR-D450",))),
    ],
)
def test_named_things(text: str, expected: Entities) -> None:
    assert entities(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "验证码482915 刚输完就说过期",
        "身份证号11010519491231002X",
        "会员号77310822145，桌号B12",
        "2024年5月28日 10:14 下的单",
        "发票号码 30928476 抬头错了",
        "card number 4111 1111 1111 1111",
        "里面有10块是坏的",
        "区域经理说不行",
        "@青豚快递 还没到",
    ],
)
def test_numbers_that_are_nothing_of_the_kind(text: str) -> None:
    assert entities(text) == Entities()


def test_a_price_or_a_date_is_no_order() -> None:
    found = entities("订单 6月3号下的，688元，订单3天没动")

    assert found.order == ()
    assert found.amount == ("688元",)


def test_quoted_replies_give_order_numbers_only() -> None:
    found = entities(
        "请统一好再来回我！\n\n周明远\n\n------------------ 原始邮件 ------------------\n"
        "发件人: 售后 <service@shujia.example>\n"
        "亲爱的顾客，您的订单 183775204886312994 已通过，如有疑问请拨打400-820-0000。"
    )

    assert found == Entities(order=("183775204886312994",), person=("周明远",))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("上门的人，后来才知道是方志强，把门锁拆坏了", ("方志强",)),
        ("隔壁村民罗生旺占了我家的地", ("罗生旺",)),
        ("公司法人代表彭家齐承诺月底前退钱", ("彭家齐",)),
        ("领队郝梦婷全程玩手机", ("郝梦婷",)),
        ("导游阿强收了我们两次门票钱", ("阿强",)),
        ("上周四接到林总的电话，说三天内发货", ("林总",)),
        ("找了赖医生两次，都说床位满了", ("赖医生",)),
        ("由熊教授主刀，结果换成了实习生", ("熊教授",)),
        ("副刊的龙主编一直不回信", ("龙主编",)),
        ("请尽快答复。孙昱2023年3月4日", ("孙昱",)),
        ("Dominique at the front desk sorted it in a minute", ("Dominique",)),
        ("Nobody called me back like Jeanine promised", ("Jeanine",)),
        ("Odhran (the agent who rebooked me) was lovely", ("Odhran",)),
        ("gate agent extraordinaire Mei Tanaka for the win", ("Mei Tanaka",)),
        ("DeVonte R is a total professional", ("DeVonte R",)),
        ("@acmehelp Anna Palm Springs gate 4 was great", ("Anna",)),
        ("@kacyhill lol, thanks Kacy 😀", ("Kacy",)),
        ("Ok so Megan The next train is late too", ("Megan",)),
        ("@AcmeAir Odile at Gatwick was lovely and quick", ("Odile",)),
        ("@acmehelp Tamsyn- the supervisor on duty, hung up on me", ("Tamsyn",)),
        ("I think her name was Quilla but she never said", ("Quilla",)),
        ("I just gave 5 stars to #Celestine at the Dallas store", ("Celestine",)),
        ("RIP Bronek.", ("Bronek",)),
        ("we were helped by Bronek at last", ("Bronek",)),
        ("@AcmeAir anything new yet RJ?", ("RJ",)),
        ("@AcmeAir HARRIET made my day", ("HARRIET",)),
        ("please ask kevin why the crate was open", ("kevin",)),
        ("@acme Start W. Huxley or the other one?", ("W. Huxley",)),
        ("省教育厅厅长何敏柯答复过一次", ("何敏柯",)),
        ("反映人：李鸣联系方式见附件", ("李鸣",)),
        ("举报人：某厂职工 罗旷  身份证号略", ("罗旷",)),
        ("尊敬的张强主任：", ("张强主任",)),
    ],
)
def test_people(text: str, names: tuple[str, ...]) -> None:
    assert entities(text).person == names


@pytest.mark.parametrize(
    "text",
    [
        "周大福的戒指掉了一颗钻",
        "韩国丽人洗面奶过敏了",
        "住在黄兴镇，快递只送到镇上",
        "周末总算到了，方总是没货",
        "依照党纪国法处理",
        "沈阳的仓库一直不发货",
        "“@AcmeAir: Brendan, we are sorry to keep you waiting.” you always say that",
        "RT @AcmeAir: thanks for flying with us, Jeanine!",
        "@NordbergService hello Nordberg, where is my coat",
        "stuck in Playa del Carmen without bags",
        "@AcmeAir Service at Gatwick was helpful",
        "@AcmeAir US the flight is late, OK the next one",
        "N. Carolina is where it went",
        "小区开发商庆德置业乱收费",
        "香菇味的尤其香",
        "蒙牛经理来过一次",
    ],
)
def test_nobody(text: str) -> None:
    assert entities(text).person == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my HP Envy 5020 jams on every page", Entities(product=("HP Envy 5020",))),
        ("the Lenovo Vibe K6 Plus runs hot", Entities(product=("Lenovo Vibe K6 Plus",))),
        ("still no update for my #MotoG6Plus", Entities(product=("MotoG6Plus",))),
        ("a 2015 Forester should not burn oil", Entities(product=("2015 Forester",))),
        ("Rainbow Six Siege crashes at the menu", Entities(product=("Rainbow Six Siege",))),
        ("蒙牛纯甄里有一根头发", Entities(product=("蒙牛纯甄",))),
        ("买了《边城》，少了二十页", Entities(product=("边城",))),
        ("果园记 陕西红富士苹果 12个装 烂了三个", Entities(product=("果园记 陕西红富士苹果",))),
        ("设备编号为：20031-77-4102，又停了", Entities(product=("20031-77-4102",))),
        ("Item 40718822 came in the wrong colour", Entities(product=("40718822",))),
        ("pls cancel puurchase, it was 00007712345", Entities(order=("00007712345",))),
        ("my oder never came, the mail says W7730018", Entities(order=("W7730018",))),
        ("file loc: QWKZRT, no bag since Friday", Entities(order=("QWKZRT",))),
        ("拨打过12345、12369都没用", Entities(phone=("12345", "12369"))),
        ("致电区环境监测站8530127没人接", Entities(phone=("8530127",))),
        ("转运费5——8元不合理", Entities(amount=("5——8元",))),
        ("they offered me a $20-$50 voucher", Entities(amount=("$20-$50",))),
        ("坑了我三百块呢", Entities(amount=("三百块",))),
        ("花了四百多块，用了20来块钱的运费", Entities(amount=("四百多块", "20来块钱"))),
        ("押金3.5w元也不退", Entities(amount=("3.5w元",))),
        ("门票￥45元还要另付", Entities(amount=("￥45元",))),
        ("that fee cost me fifty bucks", Entities(amount=("fifty bucks",))),
        ("手机号是137 ********，打了没人接", Entities(phone=("137 ********",))),
        ("cell 5035550147 is the best one to reach me", Entities(phone=("5035550147",))),
        ("PNR KQWZNB and still no seat", Entities(order=("KQWZNB",))),
        ("call 0203963851 about my shoes", Entities(phone=("0203963851",))),
        ("any of the style numbers 310812-104, 528812-006?", Entities(product=("310812-104", "528812-006"))),
        ("@hm_custserv is 0566777002 in stock?", Entities(product=("0566777002",))),
        ("@FitbitSupport the Versa 2 will not charge", Entities(product=("Versa 2",))),
        ("@AdobeCare Illustrator CC crashes on start", Entities(product=("Illustrator CC",))),
        ("@AWSSupport RDS is down in two zones", Entities(product=("RDS",))),
        ("@LenovoSupport the Tab 3 10 Plus never got it", Entities(product=("Tab 3 10 Plus",))),
        ("my #Galaxy #Note9 froze again", Entities(product=("Note9",))),
        ("since macOS 10.13.4 nothing prints", Entities(product=("macOS 10.13.4",))),
        ("Mario Kart 8 will not install", Entities(product=("Mario Kart 8",))),
        ("a 2016 Kia Rio should start in winter", Entities(product=("2016 Kia Rio",))),
        ("荣耀平板，P3用起来很顺手", Entities(product=("P3",))),
        ("我的中兴893机子总死机", Entities(product=("中兴893",))),
        ("手机用了v37以后才知道好坏", Entities(product=("v37",))),
        ("Q98的键盘掉漆，屏幕也花了", Entities(product=("Q98",))),
    ],
)
def test_more_named_things(text: str, expected: Entities) -> None:
    assert entities(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Samsung 4K is not what it was, and LG 5G neither",
        "waited for Dell 3 hours, then HP 2 days",
        "no signal in RG45 7XX since Monday",
        "flying the A320 again",
        "@AcmeAir my seat is 38E, no charge 2 days ago",
        "the fit is wrong and the edge is worn",
        "笔记本的T6400处理器太慢",
        "去酒店可以坐A22巴士",
        "手机开机按F2也没用",
        "$0 in fees, they said",
        "#Podcast1234 is great",
        "根据《消费者权益保护法》处理",
        "confirmation: THANKS FOR NOTHING",
        "I never order anything, the year 2019 was bad",
    ],
)
def test_numbers_and_titles_that_are_no_product_and_no_order(text: str) -> None:
    assert entities(text) == Entities()
