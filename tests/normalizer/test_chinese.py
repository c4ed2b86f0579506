"""Chinese as customers, agents and offices write it: wishes, grievances and names, and what only looks like them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from allears_sdk.complaint import Complaint, Entities
from allears_sdk.message import Author, Message
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive

AT = datetime(2024, 6, 1, tzinfo=UTC)


def record(*texts: str) -> Complaint:
    heard = tuple(
        Heard(message=Message(text=text, external_id=str(number), author=Author(id="u")), received_at=AT)
        for number, text in enumerate(texts)
    )
    return derive(Conversation(reference="ALE", opened_at=AT, messages=heard), Facts(channel="c", connector="web_form"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("收到的锅是坏的，能给换一台吗", ("exchange",)),
        ("再不处理我就投诉到12315，钱退给我", ("refund",)),
        ("门锁两天就坏了，开锁花了200块，这钱谁出", ("compensation",)),
        ("水管漏了一地，什么时候能来修", ("repair",)),
        ("少了一袋，请补寄", ("reship",)),
        ("说好九点到，到底什么时候能送到", ("explanation",)),
        ("被店员骂了，要求店长当面道歉", ("apology",)),
        ("抬头开错了，麻烦作废重开", ("invoice",)),
        ("噪音扰民三个月了，恳请有关部门管一管", ("action",)),
        ("路灯坏了很久没人修，希望领导重视，尽快给我们一个答复", ("action", "explanation")),
        ("幾時先整好個app？成日閃退", ("explanation",)),
        ("訂咗兩個月未送到，我要退訂攞返訂金", ("cancel",)),
    ],
)
def test_what_is_asked_for_is_wanted(text: str, wanted: tuple[str, ...]) -> None:
    assert set(wanted) <= set(record(text).expectation)


@pytest.mark.parametrize(
    "text",
    [
        "为了退款打了四五个电话，太差了",
        "服务员忘了把押金退回给我，折腾了几次",
        "客服说给我换一台，结果还是坏的",
        "商家答应赔偿，到现在没消息，垃圾",
        "上一位客服说运费你们出，这次又说我出，太差了",
        "想取消的时候一直说马上到，菜都凉了",
        "公司无理由辞退我们，太黑心",
        "申请了赔付，果子还是烂的",
        "太难吃了，建议大家不要买",
        "包装完整，就是味道太淡",
        "这次买的太失望了，又小又酸",
    ],
)
def test_a_report_is_no_wish(text: str) -> None:
    assert record(text).nature == "complaint"
    assert record(text).expectation == ("none",)


@pytest.mark.parametrize(
    ("text", "nature"),
    [
        ("散热很好，待机时间长，手感也不错", "praise"),
        ("画面细腻，做工精致，送货员态度很好", "praise"),
        ("特意用了好多天才来评价，很满意", "praise"),
        ("请问居民养老保险网上可以交吗？", "question"),
        ("客户来电询问门店地址及营业时间", "question"),
        ("客户申请将收货地址改为东湖路18号，已登记", "request"),
        ("麻烦帮我把订单取消一下，拍错了", "request"),
        ("因设备检修，明日9:00-12:00停水，请做好储备", "automatic"),
        ("您有一笔10万额度待领取，点击查看，退订回T", "spam"),
        ("没有店里的好吃", "complaint"),
        ("洗了头很痒，再也不买了", "complaint"),
        ("交房5年了房产证还没办，这合理吗", "complaint"),
    ],
)
def test_what_kind_of_message_it_is(text: str, nature: str) -> None:
    assert record(text).nature == nature


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("十一点下的单，一点才送来，菜都凉了", "logistics.delay"),
        ("等了一个半小时，面都坨了", "logistics.delay"),
        ("没收到货，显示已签收", "logistics.loss"),
        ("骑手不送上楼，让我下楼取", "logistics.courier"),
        ("假货！洗了头痒死了", "product.not_as_described"),
        ("L码怎么跟S码一样小，尺码偏小太多", "product.not_as_described"),
        ("医院乱收费，挂号费年年涨", "billing.price"),
        ("公司拖欠农民工工资三个月", "billing.payment"),
        ("小区经常停水，居民没法生活", "technical.outage"),
        ("宽带这个月第四次断网", "technical.outage"),
        ("账号无故被封，申诉没人理", "technical.account"),
        ("养殖场排污，村民苦不堪言，希望政府查处", "other"),
        ("要求提供开箱视频和手写声明，审核了四次都不通过", "service.process"),
        ("保修期内却说人为不当不予保修", "policy.warranty"),
        ("约好两点上门，师傅又放飞机", "service.competence"),
        ("热线打到现在没人接，前面还有二十几位", "service.waiting"),
        ("理赔被拒，理由不成立", "policy.refund"),
    ],
)
def test_the_main_grievance(text: str, category: str) -> None:
    assert record(text).category == category


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("吃完全家拉肚子，在医院挂水", "P1"),
        ("锅底里捞出一块碎玻璃", "P1"),
        ("村里医生无证行医，请查处", "P1"),
        ("再不解决我就找律师起诉", "P1"),
        ("房产证拖了四年还没办下来", "P2"),
        ("收到的是假货，被骗了", "P2"),
        ("送餐有点慢", "P3"),
        ("面有点咸", "P4"),
    ],
)
def test_how_urgent_it_is(text: str, priority: str) -> None:
    assert record(text).priority == priority


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("举报退休医师吴扬名一直无证行医", Entities(person=("吴扬名",))),
        ("尊敬的盛华荣市长：您好", Entities(person=("盛华荣市长",))),
        ("兴东村石中秋书记打了电话给曾会计", Entities(person=("石中秋书记", "曾会计"))),
        ("柜台的小周服务热情", Entities(person=("小周",))),
        ("电话 159 8888 0001 李雪", Entities(phone=("159 8888 0001",), person=("李雪",))),
        ("举报人电话：***********", Entities(phone=("***********",))),
        ("一三八零零一三八零零零，打给我", Entities(phone=("一三八零零一三八零零零",))),
        ("学费都在1120~1680元，交了三百五十元", Entities(amount=("1120~1680元", "三百五十元"))),
        ("白水5块一杯", Entities(amount=("5块",))),
        ("来电者刘先生，电话1370000****", Entities(person=("刘先生",), phone=("1370000****",))),
        ("理由不成立，请复核。杨帆", Entities(person=("杨帆",))),
        ("这台比我T61的电源大", Entities(product=("T61",))),
        ("加我威信 zhao_mm2020 或 VX: hello_8899", Entities(wechat=("zhao_mm2020", "hello_8899"))),
        ("拒绝畅享6", Entities(product=("畅享6",))),
    ],
)
def test_names_and_numbers(text: str, expected: Entities) -> None:
    assert record(text).entities == expected


@pytest.mark.parametrize(
    "text",
    [
        "K437次列车又晚点了",
        "G207国道一直没修好",
        "司机（楚DD1788）没有证",
        "老师有问题问老师，历史老师很好",
        "感谢快递师傅，师傅辛苦了",
        "明天找同学重装系统",
        "花了几千元，上万元都打了水漂",
        "商标证书编号：第0000-00000000号",
        "送了一块肉，烂了补一块",
        "百度骑士最牛x",
    ],
)
def test_what_only_looks_like_a_name_or_a_number(text: str) -> None:
    assert record(text).entities == Entities()


def test_a_burst_is_read_as_one() -> None:
    complaint = record("老板", "昨天那个蛋糕", "我妈吃了拉肚子", "现在在医院挂水", "订单号 5528017734", "给个说法")

    assert (complaint.nature, complaint.category, complaint.priority) == ("complaint", "product.material_defect", "P1")
    assert complaint.expectation == ("explanation",)
    assert complaint.entities.order == ("5528017734",)


@pytest.mark.parametrize("unit", ["希望请尽快", "客服说", "王李张", "等了个小时", "什么时候到底", "没给我没给"])
def test_no_rule_takes_long_over_a_long_text(unit: str) -> None:
    text = unit * 7_000
    record(text[:2_000])
    began = time.process_time()
    record(text)

    assert time.process_time() - began < 2
