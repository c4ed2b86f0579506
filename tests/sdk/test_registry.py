from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from allears_sdk import registry
from allears_sdk.connector import SDK_MAJOR
from allears_sdk.errors import ConfigError
from allears_sdk.testing import MemorySink, ScriptedConnector


class OldSink(MemorySink):
    spec = replace(MemorySink.spec, kind="old", sdk=SDK_MAJOR + 1)


class OtherName(MemorySink):
    spec = replace(MemorySink.spec, kind="zendesk")


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Entry points as third parties would install them, pointing into one module."""
    module = ModuleType("third_party_plugins")
    vars(module).update(
        memory=MemorySink, old=OldSink, renamed=OtherName, scripted=ScriptedConnector, number=7, other=MemorySink
    )
    monkeypatch.setitem(sys.modules, "third_party_plugins", module)
    names = {
        registry.SINKS: ["memory", "old", "renamed", "scripted", "number", "twice", "twice", "absent", "nowhere"],
        registry.CONNECTORS: ["scripted"],
    }
    attributes = {"twice": ["memory", "other"]}

    def entry_points(*, group: str) -> list[EntryPoint]:
        found: list[EntryPoint] = []
        for name in names[group]:
            queue = attributes.get(name, [name])
            attribute = queue[names[group][: len(found)].count(name)] if name == "twice" else name
            place = "no_such_module" if name == "nowhere" else "third_party_plugins"
            found.append(EntryPoint(name, f"{place}:{attribute}", group))
        return found

    monkeypatch.setattr(registry, "entry_points", entry_points)
    registry._by_kind.cache_clear()
    yield
    registry._by_kind.cache_clear()


def test_what_is_installed_is_found() -> None:
    assert registry.sink_class("memory") is MemorySink
    assert registry.connector_class("scripted") is ScriptedConnector
    assert "memory" in registry.kinds(registry.SINKS)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("memroy", 'no sink "memroy" is installed; did you mean "memory"'),
        ("工单", "no sink .* valid keys: .*memory"),
        ("twice", "two sinks .*third_party_plugins:memory.* and third_party_plugins:other"),
        ("old", f"built for SDK {SDK_MAJOR + 1}; this is {SDK_MAJOR}"),
        ("renamed", 'calls itself "zendesk"'),
        ("scripted", "is not a Sink"),
        ("number", "is not a Sink"),
        ("absent", "does not import"),
        ("nowhere", "does not import: No module named 'no_such_module'"),
    ],
)
def test_what_does_not_fit_disables_its_own_kind_and_says_why(kind: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        registry.sink_class(kind)
    assert registry.sink_class("memory") is MemorySink


def test_the_house_itself_is_installed() -> None:
    from importlib.metadata import entry_points

    assert {"list", "jsonl", "webhook"} <= {entry.name for entry in entry_points(group=registry.SINKS)}
