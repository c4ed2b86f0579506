"""`allears normalise`: one line per input, in order, whatever the input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.complaint import CATEGORIES, EXPECTATIONS, NATURES, PRIORITIES
from allears_sdk.reference import is_reference

Allears = Callable[..., Any]

MAIL = """From: =?utf-8?b?546L6Iqz?= <fang.wang@example.com>
To: support@shop.example
Subject: =?utf-8?b?56m65rCU54K46ZSF5LiN5Yqg54Ot77yM6KaB5rGC6YCA5qy+?=
Message-ID: <1@example.com>
Date: Fri, 01 May 2026 10:00:00 +0800
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

买了三天就坏了，完全不加热，要求退款。订单号3384756201948857231

> 您好，请描述问题
--b
Content-Type: image/jpeg; name="photo.jpg"
Content-Disposition: attachment; filename="photo.jpg"
Content-Transfer-Encoding: base64

/9j/4AAQSkZJRg==
--b--
"""


def test_a_mail(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_text(MAIL, encoding="utf-8")
    outcome = allears("normalise", "one.eml")
    (line,) = outcome.lines
    assert outcome.code == 0
    assert line["source"] == "one.eml"
    message = line["message"]
    assert message["author"]["email"] == "fang.wang@example.com"
    assert message["author"]["name"] == "王芳"
    assert message["subject"] == "空气炸锅不加热，要求退款"
    assert message["is_automatic"] is False
    (attachment,) = message["attachments"]
    assert (attachment["name"], attachment["size"], attachment["media_type"]) == ("photo.jpg", 10, "image/jpeg")
    assert "请描述问题" in message["text"]
    assert line["new_text"] == "买了三天就坏了，完全不加热，要求退款。订单号3384756201948857231"
    complaint = line["complaint"]
    assert is_reference(complaint["id"])
    assert complaint["nature"] == "complaint"
    assert complaint["category"] == "product.function_failure"
    assert complaint["expectation"] == ["refund"]
    assert complaint["priority"] in PRIORITIES
    assert complaint["entities"]["order"] == ["3384756201948857231"]
    assert set(complaint["entities"]) == {
        "order", "product", "phone", "email", "wechat", "tracking", "amount", "person",
    }  # fmt: skip


def test_the_same_input_gives_the_same_line(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_text(MAIL, encoding="utf-8")
    assert allears("normalise", "one.eml").out == allears("normalise", "one.eml").out


def test_json_lines(allears: Allears) -> None:
    given = [
        {"text": "The kettle leaks, I want my money back.", "connector": "whatsapp", "channel": "wa", "subject": None},
        {"text": "用了一周，很好", "rating": 5, "connector": "shop_review", "posted_at": "2026-05-01T10:00:00+08:00"},
        {"text": "一般吧，快递慢", "rating": {"value": 1}, "connector": "app_store", "author": {"name": "李"}},
        {"text": "late", "posted_at": "2026-05-01 10:00:00", "gold": {"nature": "other"}, "id": "x-1"},
    ]
    outcome = allears("normalise", "-", stdin="\n".join(json.dumps(one) for one in given))
    assert outcome.code == 0
    assert [line["source"] for line in outcome.lines] == ["-:1", "-:2", "-:3", "-:4"]
    leak, praise, slow, late = (line["complaint"] for line in outcome.lines)
    assert (leak["channel"], leak["connector"], leak["nature"]) == ("wa", "whatsapp", "complaint")
    assert praise["nature"] == "praise"
    assert praise["received_at"] == "2026-05-01T10:00:00+08:00"
    assert slow["nature"] == "complaint"
    assert slow["contact"]["name"] == "李"
    assert late["received_at"] == "2026-05-01T10:00:00Z"
    assert outcome.lines[1]["message"]["visibility"] == "public"
    assert outcome.lines[0]["message"]["visibility"] == "private"
    assert outcome.lines[3]["ignored"] == ["gold", "id"]
    for line in outcome.lines:
        assert line["complaint"]["nature"] in NATURES
        assert line["complaint"]["category"] in (*CATEGORIES, "")
        assert set(line["complaint"]["expectation"]) <= set(EXPECTATIONS)


def test_a_conversation_is_one_line(allears: Allears) -> None:
    burst = ["在吗", "买的锅完全不加热", "订单号3384756201948857231 给退了吧"]
    separate = [{"text": text, "connector": "wechat", "thread": ["u1"]} for text in burst]
    answer = {"text": "您好，请稍等", "author": {"role": "company"}}
    lines = [[separate[0], answer, *separate[1:]], {"text": burst, "connector": "wechat"}]
    outcome = allears("normalise", "-", stdin="\n".join(json.dumps(line) for line in lines))
    for line, count in zip(outcome.lines, (4, 3), strict=True):
        assert line["complaint"]["nature"] == "complaint"
        assert line["complaint"]["entities"]["order"] == ["3384756201948857231"]
        assert line["message"]["text"] == "在吗"
        assert line["new_text"] == "\n".join(burst)
        assert len(line["messages"]) == count
        assert "请稍等" not in line["complaint"]["description"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a message"),
        ('["text"]', "not a message"),
        ("17", "not a message"),
        ('{"author": {"name": "x"}}', "text"),
        ('{"text": {}}', "text"),
        ('{"text": "x", "posted_at": "yesterday"}', "posted_at"),
        ('{"text": "x", "rating": "good"}', "rating"),
        ("[" * 5000, ""),
    ],
)
def test_a_bad_line_is_a_line_and_the_run_goes_on(allears: Allears, tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "in.jsonl").write_text(f'{{"text": "a"}}\n{line}\n\n{{"text": "b"}}\n', encoding="utf-8")
    outcome = allears("normalise", "in.jsonl")
    assert outcome.code == 1
    good, bad, again = outcome.lines
    assert good["complaint"] and again["complaint"]
    assert again["source"] == "in.jsonl:4"
    assert set(bad) == {"source", "error"}
    assert bad["source"] == "in.jsonl:2"
    assert reason in bad["error"]


def test_folders_are_searched_in_order(allears: Allears, tmp_path: Path) -> None:
    for name in ("b/2.eml", "b/10.eml", "a/x/1.EML", "a/notes.txt", "a/1.json"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MAIL, encoding="utf-8")
    (tmp_path / "in" / "c.jsonl").write_text('﻿{"text": "差评"}\n', encoding="utf-8")
    outcome = allears("normalise", "in", "nowhere.eml", "in/a/1.json", "in/a/notes.txt")
    assert outcome.code == 1
    assert [line["source"] for line in outcome.lines] == [
        "in/c.jsonl:1", "in/a/x/1.EML", "in/b/10.eml", "in/b/2.eml", "nowhere.eml", "in/a/1.json", "in/a/notes.txt",
    ]  # fmt: skip
    assert ["error" in line for line in outcome.lines] == [False, False, False, False, True, True, False]


def test_any_bytes_are_a_mail(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "odd.eml").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty.eml").write_bytes(b"")
    (tmp_path / "gbk.eml").write_bytes("Subject: 投诉\n\n质量太差了".encode("gb18030"))
    outcome = allears("normalise", "odd.eml", "empty.eml", "gbk.eml")
    assert outcome.code == 0
    assert [line["source"] for line in outcome.lines] == ["odd.eml", "empty.eml", "gbk.eml"]
    assert outcome.lines[2]["message"]["text"] == "质量太差了"


def test_a_mail_on_stdin(allears: Allears) -> None:
    (line,) = allears("normalise", "-", stdin=MAIL.encode()).lines
    assert line["source"] == "-"
    assert line["message"]["author"]["email"] == "fang.wang@example.com"


def test_an_empty_folder_says_so(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = allears("normalise", "in", "--language", "zh")
    assert outcome.code == 1
    assert "没有可读的内容" in outcome.lines[0]["error"]


def test_many_inputs_keep_their_order(allears: Allears, tmp_path: Path) -> None:
    texts = [f"第{number}次投诉，快递还没到" if number % 7 else "" for number in range(400)]
    body = "\n".join(json.dumps({"text": text}) if text else "{" for text in texts)
    (tmp_path / "in.jsonl").write_text(body, encoding="utf-8")
    outcome = allears("normalise", "in.jsonl", "--quick", "--workers", "2")
    assert outcome.code == 1
    assert [line["source"] for line in outcome.lines] == [f"in.jsonl:{number}" for number in range(1, 401)]
    assert [line.get("message", {}).get("text", "") for line in outcome.lines] == texts
    alone = allears("normalise", "in.jsonl", "--quick", "--workers", "1")
    assert [line.get("error") for line in alone.lines] == [line.get("error") for line in outcome.lines]


def test_a_text_is_a_string_or_strings(allears: Allears) -> None:
    given = '{"text": 5}\n{"text": ["退款", 5]}\n{"text": {"a": 1}}\n{"text": null}\n{"text": ["坏了", "退款"]}\n'
    outcome = allears("normalise", "-", stdin=given)
    assert outcome.code == 1
    *refused, heard = outcome.lines
    assert {line["error"] for line in refused} == {"`text` must be a string, or a list of strings"}
    assert [one["text"] for one in heard["messages"]] == ["坏了", "退款"]


def test_an_envelope_shows_the_mail_inside(allears: Allears, tmp_path: Path) -> None:
    """Forwarded as an attachment with nothing said: whoever opens it reads the customer's words."""
    inside = "From: fang.wang@example.com\nSubject: broken\n\nThe kettle arrived broken.\n"
    outside = (
        "From: agent@shop.example\nSubject: Fwd: broken\nMIME-Version: 1.0\n"
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n{inside}--b--\n"
    )
    (tmp_path / "envelope.eml").write_text(outside)
    (line,) = allears("normalise", "envelope.eml").lines
    assert line["message"]["text"].strip() == "The kettle arrived broken."
    (attachment,) = line["message"]["attachments"]
    assert (attachment["name"], attachment["title"]) == ("", "broken.eml")
