"""Paths: what RFC 9535 finds, and what a hostile body or a careless path could make slow is refused."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.webhook.paths import TooDeep, compile_path, find, steps
from tests.connectors.webhook.conftest import settings_of

BODY: dict[str, Any] = {
    "form": "f1",
    "none": None,
    "answers": [
        {"field": {"ref": "complaint"}, "text": "坏了", "n": 1},
        {"field": {"ref": "other"}, "text": "x", "n": 2.5},
    ],
    "键 1": {"q.2": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.form", ["f1"]),
        ("$.none", []),
        ("$.missing.deeper", []),
        ("$['键 1']['q.2'][*]", ["a", "b"]),
        ("$['键 1']['q.2'][-1]", ["b"]),
        ("$.answers[0:1].text", ["坏了"]),
        ("$.answers[?@.field.ref == 'complaint'].text", ["坏了"]),
        ("$.answers[?@.n > 1 && !(@.text == '坏了')].text", ["x"]),
        ("$.answers[?@.field].n", [1, 2.5]),
        ("$..ref", ["complaint", "other"]),
        ("@.n", [2.5]),
        ("@", [BODY["answers"][1]]),
    ],
)
def test_what_paths_find(path: str, found: list[Any]) -> None:
    assert find(path, BODY, BODY["answers"][1]) == found


HOSTILE = {
    "no-root": "data.text",
    "empty": "",
    "unclosed": "$.a[",
    "regex": "$.a[?match(@.b, '(a+)+$')]",
    "search": "$.a[?search(@.b, 'x')]",
    "function": "$.a[?length(@.b) > 1]",
    "regex-operator": "$.a[?@.b =~ /(a+)+$/]",
    "walk-in-filter": "$.a[?@..b == 1]",
    "wildcard-in-filter": "$.a[?@.*]",
    "filter-in-filter": "$.a[?@.b[?@.c]]",
    "two-descents": "$..a..b",
    "many-selectors": "$[*,*][*,*][*,*]",
    "union": "$.a | $.b",
    "keys": "$.a.~b",
    "parent": "$.a^",
    "long": "$" + ".a" * 300,
    "nested-parentheses": "$[?" + "(" * 400 + "@.a",
    "spaces": " $.a",
}


@pytest.mark.parametrize("path", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_paths_are_faults_of_the_configuration(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|JSONPath|filter|selector|once"):
        compile_path(path)
    with pytest.raises(ValidationError):
        settings_of({"text": path})


@pytest.mark.parametrize("path", ["$..x", "$..*", "$.a[*][?@.b == 'x'].c", "$.a[*][*][*]", "$..[?@.b == 'x']"])
def test_what_may_be_written_takes_time_in_proportion(path: str) -> None:
    """Ten times the body, some ten times the work: squared it were a hundred."""

    def seconds(size: int) -> float:
        body = {"a": [[{"b": "x", "c": ["y"]}, ["z"]] for _ in range(size)]}
        begun = time.process_time()
        find(path, body, body)
        return time.process_time() - begun

    gc.disable()
    try:
        small, large = (min(seconds(size) for _ in range(3)) for size in (500, 5000))
    finally:
        gc.enable()
    assert large < 60 * max(small, 0.001)


def test_too_deep_is_said() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    with pytest.raises(TooDeep):
        find("$..x", deep, deep)


def test_steps_are_names_and_all() -> None:
    assert steps("$.entry[*]['changes x'][*]") == ("entry", None, "changes x", None)
    for path in ("$.a[0]", "$..a[*]", "$.a[?@.b]", "$.a[1:2]"):
        with pytest.raises(ValueError, match="names and"):
            steps(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"text": []},
        {"text": {}},
        {"text": ["$.a"] * 65},
        {"text": 5},
        {"text": "$.a", "items": "$.events"},
        {"text": "$.a", "items": "@.events[*]"},
        {"text": "$.a", "items": "$.events[0]"},
        {"text": "$.a", "kinds": {"x": "edited"}},
        {"text": "$.a", "kind": "$.k", "kinds": {"x": "changed"}},
        {"text": "$.a", "role": "$.k", "roles": {"x": "boss"}},
        {"text": "$.a", "constants": {"role": "boss"}},
        {"text": "$.a", "constants": {"rating": "5"}},
        {"text": "$.a", "best_rating": 1, "worst_rating": 1},
        {"text": "$.a", "only": {"type": ["x"]}},
        {"text": "$.a", "txet": "$.b"},
    ],
)
def test_mappings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_of(wrong)


@pytest.mark.parametrize(
    "more",
    [
        {"timezone": "Asia/Peking"},
        {"threading": "chat"},
        {"auth": {"method": "twilio", "secrets": ["auth-token"]}},
        {"files": {"authorization": "Bearer x"}},
        {"handshake": {}},
        {"handshake": {"parameter": "c", "token_parameter": "t"}},
        {"answer": {"status": 302}},
        {"answer": {"media_type": "text/html\r\nX: y"}},
    ],
)
def test_settings_that_cannot_work(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings_of({"text": "$.a"}, **more)
