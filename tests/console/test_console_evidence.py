"""Evidence of every kind (rules, an admin's own, shapes, the model) is marked in the message on its exact words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from allears.console.case import Case, FieldRow, lay_out
from allears.console.sight import Sight
from allears.console.texts import load_texts
from allears.journal.records import ComplaintFile, MessageRow
from allears_sdk.complaint import Complaint, Event, EventKind, Evidence, Provenance
from allears_sdk.message import Message, Visibility
from normalizer.conversation import Conversation, Facts, Heard
from normalizer.derive import derive
from normalizer.model import load as load_model
from normalizer.own_rules import OwnRules
from normalizer.rules import Rules
from normalizer.rules.layers import compose

AT = datetime(2024, 6, 1, tzinfo=UTC)
OWN = compose(
    OwnRules(
        files=(
            (
                "mine.toml",
                'language = "zh"\n[[rule]]\nid = "gas"\nfield = "priority"\nvalue = "P1"\nwords = ["漏气"]\n'
                '[[shape]]\nkind = "order"\nname = "ours"\npattern = "(lm-[0-9]{6})"\n',
            ),
        )
    )
)
TALKS = {
    "chat": ["你好", "热水器漏气，打了三次电话都没人管！", "订单号LM-240519，电话13812348000，要求退款"],
    "mail": [
        "Dear team,\n\nthe kettle stopped working after two days. Order #114-3941689-8772232.\n"
        "I was charged $49.90 and want my money back.\n\nRegards,\nTom Reed\n\n"
        "On Mon, May 20, 2024, Acme <help@acme.example> wrote:\n> Thank you for your order."
    ],
    "transcript": [
        "客服：您好，请问什么问题？\n客户：空调不制冷，师傅来了两次都没修好\n客服：我帮您登记\n客户：我要换一台新的"
    ],
    "emoji and traditional": ["😡😡 耳機左邊冇聲，等咗兩個星期都未覆！！", "退錢！"],
    "full width": ["订单号：３３８４７５６２０１９４８８５７２３１　收到就是坏的"],
}

VAGUE = (
    "用了两个星期就这样了，心都凉了",
    "房间隔音太差，一晚上没睡着",
    "Sat on the tarmac for two hours with no word from anybody",
    "first time using them and definitely the last",
)
"""What rules leave open, in part at least."""


def case(texts: Sequence[str], rules: Rules | None = None, *, reveal: bool = True, **facts: Any) -> Case:
    messages = [Message(text=text, external_id=f"m{at}", revision="1", **facts) for at, text in enumerate(texts)]
    heard = tuple(Heard(message=message, received_at=AT) for message in messages)
    talk = Conversation(reference="ALE-1", opened_at=AT, messages=heard)
    return laid(derive(talk, Facts(channel="shop", connector="form"), rules), messages, reveal=reveal)


def laid(record: Complaint, messages: Sequence[Message], *, reveal: bool = True) -> Case:
    rows = [MessageRow(message=message, raw_id=at, received_at=AT) for at, message in enumerate(messages)]
    event = Event(id="ALE-1:1", complaint_id="ALE-1", sequence=1, kind=EventKind.OPENED, at=AT, record=record)
    sight = Sight(texts=load_texts("zh"), now=AT, zone=None, path="/", csrf="", version="0", reveal=reveal)
    return lay_out(ComplaintFile(record=record, events=[event], messages=rows, deliveries=[]), sight)


def row_of(shown: Case, name: str) -> FieldRow:
    return next(row for row in (*shown.fields, *shown.also) if row.name == name)


def marked(shown: Case, field: str) -> list[str]:
    """Words of the texts that are marked for a field, message by message."""
    texts = ["".join(one.text if field in one.fields else "|" for one in each.segments) for each in shown.speeches]
    return [words for text in texts for words in text.split("|") if words]


@pytest.mark.parametrize("rules", [None, OWN], ids=["packaged", "own"])
@pytest.mark.parametrize("kind", TALKS)
def test_every_proof_leads_to_its_words(kind: str, rules: Rules | None) -> None:
    shown = case(TALKS[kind], rules)

    proved = [row for row in (*shown.fields, *shown.also) if row.proofs]
    assert {"nature", "category"} <= {row.name for row in proved}
    for row in proved:
        for proof in row.proofs:
            assert proof.words.strip(), row.name
            assert proof.anchor, (row.name, proof.words)
        assert "".join(marked(shown, row.name)), row.name


def test_an_admins_own_rule_and_shape_are_named_and_marked() -> None:
    shown = case(TALKS["chat"], OWN)

    urgency, order = row_of(shown, "priority"), row_of(shown, "entities.order")
    assert (urgency.source, urgency.rule, urgency.percent) == ("规则", "zh.gas", 100)
    assert marked(shown, "priority") == ["漏气"]
    assert (order.source, order.rule) == ("依格式识别", "order.ours")
    assert marked(shown, "entities.order") == ["LM-240519"]


def test_words_of_the_model_are_marked() -> None:
    model = load_model()
    if model is None:
        pytest.skip("no model is packaged")
    shown = [case([text], visibility=Visibility.PUBLIC) for text in VAGUE]
    by_model = [(one, row) for one in shown for row in one.fields if row.source == "模型"]

    assert by_model
    for one, row in by_model:
        assert row.rule == model.name
        assert row.percent is not None
        assert all(proof.anchor and proof.words in "".join(VAGUE) for proof in row.proofs)
        assert bool(row.proofs) == bool(marked(one, row.name))
    assert any(row.proofs for _, row in by_model)


@pytest.mark.parametrize(
    ("source", "words", "rule", "is_guess"),
    [
        ("rule:zh.product.broken", "规则", "zh.product.broken", True),
        ("shape:order.led", "依格式识别", "order.led", True),
        ("model:linear@4c4110d3", "模型", "linear@4c4110d3", True),
        ("model-endpoint:qwen3:8b", "所问的模型", "qwen3:8b", True),
        ("nature:model-endpoint:qwen3:8b", "依性质", "model-endpoint:qwen3:8b", True),
        ("category:logistics.loss", "依分类", "logistics.loss", True),
        ("customer:level", "依客户情况", "level", True),
        ("default", "默认", "", True),
        ("channel", "渠道提供", "", False),
        ("admin", "管理员设定", "", False),
        ("route:vip, all", "依分派规则", "vip, all", False),
        ("customers:vip", "依客户名单", "vip", False),
        ("catalogue", "依产品目录", "", False),
        ("script", "依文字判断", "", False),
    ],
)
def test_every_kind_of_provenance_has_a_word_and_its_marks(source: str, words: str, rule: str, is_guess: bool) -> None:
    why = Provenance(source=source, score=0.83, evidence=(Evidence(message="m0", words="坏了", start=2, end=4),))
    record = Complaint(
        id="ALE-1", title="", nature="complaint", priority="P2", received_at=AT, provenance={"priority": why}
    )

    shown = laid(record, [Message(text="炸锅坏了", external_id="m0")])

    row = row_of(shown, "priority")
    assert (row.source, row.rule, row.percent) == (words, rule, 83 if is_guess else None)
    assert marked(shown, "priority") == ["坏了"]
    assert [proof.anchor for proof in row.proofs] == ["priority-0"]


def test_masked_words_stay_marked() -> None:
    shown = case(TALKS["chat"], reveal=False)

    assert marked(shown, "entities.phone") == ["138****8000"]
    assert marked(shown, "expectation")
