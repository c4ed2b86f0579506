"""`allears model try`, and the model in `allears check`: against an endpoint in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.filing.endpoint import KEY, Endpoint, answer, completion, error

Allears = Callable[..., Any]
OPEN = "那个东西又来了，我家猫每天晚上都躲到沙发后面"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint, loop = Endpoint(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(endpoint.open(), loop).result(10)
    try:
        yield endpoint
    finally:
        asyncio.run_coroutine_threadsafe(endpoint.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def configure(endpoint: Endpoint, tmp_path: Path) -> Callable[..., None]:
    def write(**facts: object) -> None:
        given = {"enabled": True, "base_url": endpoint.base_url, "model": "qwen3:8b", "api_key": KEY, "ask_below": 1.0}
        lines = [f"{key} = {json.dumps(value)}" for key, value in {**given, **facts}.items()]
        text = '[channels.form]\nconnector = "form"\n[model]\n' + "\n".join(lines)
        (tmp_path / "allears.toml").write_text(text, encoding="utf-8")

    return write


def test_try_shows_what_leaves_and_what_is_believed(
    allears: Allears, endpoint: Endpoint, configure: Callable[..., None], tmp_path: Path
) -> None:
    configure(enabled=False, fields=["category", "priority"])
    endpoint.always(lambda: answer(category=("product.design", ["躲到沙发后面"]), priority=("P9", ["每天晚上"])))
    text = f"{OPEN}，电话13800138000"
    found = allears("model", "try", text, "--all", "--json").json
    assert found["asked"] is True
    assert found["answer"]["category"] == {"value": "product.design", "quotes": ["躲到沙发后面"], "taken": True}
    assert found["record"]["category"] == "product.design"
    assert found["ignored"] == {"unknown_value": 1}
    assert "13800138000" not in found["text"]
    shown = allears("model", "try", text, "--all", "--language", "zh")
    assert shown.code == 0
    assert "product.design" in shown.out
    assert "未被采信" in shown.out
    assert KEY not in shown.out + shown.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["words.txt", "mail.eml", "review.json", "-"])
def test_try_reads_files_and_stdin(
    allears: Allears, endpoint: Endpoint, configure: Callable[..., None], tmp_path: Path, name: str
) -> None:
    configure()
    endpoint.always(lambda: completion("{}"))
    mail = f"From: 李雷 <lilei@mail.example.cn>\nSubject: 你好\nContent-Type: text/plain; charset=utf-8\n\n{OPEN}\n"
    review = json.dumps({"text": OPEN, "connector": "app_review", "rating": {"value": 1}})
    text = {"words.txt": OPEN, "mail.eml": mail, "review.json": review}.get(name, "")
    if text:
        (tmp_path / name).write_text(text, encoding="utf-8")
    outcome = allears("model", "try", name, "--all", "--json", stdin=OPEN)
    assert outcome.code == 0
    told = endpoint.heard[0]["messages"][1]["content"]
    assert "沙发" in told
    assert "李雷" not in told
    assert ("in public" in told) == (name == "review.json")


def test_try_says_when_rules_are_sure(allears: Allears, endpoint: Endpoint, configure: Callable[..., None]) -> None:
    configure(ask_below=0.0)
    outcome = allears("model", "try", OPEN)
    assert outcome.code == 0
    assert "--all" in outcome.out
    assert endpoint.heard == []


def test_try_without_an_endpoint(allears: Allears, tmp_path: Path) -> None:
    (tmp_path / "allears.toml").write_text('[channels.form]\nconnector = "form"\n')
    outcome = allears("model", "try", OPEN)
    assert outcome.code == 3
    assert "base_url" in outcome.err


def test_check_asks_one_question_about_words_of_ours(
    allears: Allears, endpoint: Endpoint, configure: Callable[..., None]
) -> None:
    endpoint.always(lambda: answer(category=("product.function_failure", ["stopped heating"])))
    configure()
    (login,) = [one for one in allears("check", "--json").json["checked"] if one["section"] == "model"]
    assert (login["name"], login["result"]) == ("qwen3:8b", "ok")
    assert "category" in login["details"]
    assert len(endpoint.heard) == 1
    configure(enabled=False)
    (login,) = [one for one in allears("check", "--json").json["checked"] if one["section"] == "model"]
    assert login["result"] == "skipped"


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (lambda: error(404, "The model `qwen3:8b` does not exist"), "does not exist"),
        (lambda: completion("no JSON, sorry"), "json_object"),
        (lambda: completion("{}"), "believed"),
    ],
)
def test_check_says_what_is_wrong(
    allears: Allears, endpoint: Endpoint, configure: Callable[..., None], response: Any, told: str
) -> None:
    endpoint.always(response)
    configure()
    outcome = allears("check", "--json")
    assert outcome.code == 1
    (login,) = [one for one in outcome.json["checked"] if one["section"] == "model"]
    assert login["result"] == "failed"
    assert told in login["reason"]
    assert KEY not in outcome.out + outcome.err


def test_check_with_a_wrong_key(allears: Allears, configure: Callable[..., None]) -> None:
    configure(api_key="sk-wrong-1234567890")
    outcome = allears("check")
    assert outcome.code == 1
    assert "401" in outcome.out
    assert "sk-wrong" not in outcome.out + outcome.err
