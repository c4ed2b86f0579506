"""Schema, reference and example are what the models say, and the example works."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from allears import settings
from allears.settings import catalogue
from allears.settings.catalogue import components
from allears.settings.example import example
from allears.settings.schema import config_schema
from allears_sdk import registry
from allears_sdk.testing.scripted import ScriptedConnector

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
CLASSES = {"channels": registry.connector_class, "destinations": registry.sink_class}

SAME_IDEA: dict[str, str] = {
    r"(.*_)?timeout(_seconds)?": r"(.*_)?timeout_seconds",
    r"max_.*(size|bytes|mb)": r"max_.*bytes",
    r"(.*_)?(user|login|user_name)": r"(.*_)?username",
    r"(.*_)?(pass|passwd)": r"(.*_)?password",
    r"(server|hostname|address)": r"host",
    r"(uri|endpoint|link)": r"url",
    r"(.*_)?(period|poll|frequency|every)": r"interval_seconds",
    r"(retries|tries|max_retries)": r"max_attempts",
    r"(tz|zone)": r"timezone",
    r"(lang|locale)": r"language",
    r"(.*_)?(directory|dir)": r"(.*_)?folder",
    r"(charset)": r"encoding",
}
"""What an idea might be called, and the name it has in every component."""


@pytest.fixture
def generate() -> ModuleType:
    specification = importlib.util.spec_from_file_location("generate", ROOT / "scripts" / "generate.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_generated_files_are_fresh(generate: ModuleType) -> None:
    assert generate.stale() == {}


def test_stale_files_are_found(generate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "reference.md").write_text("old\n")
    differences = generate.stale(tmp_path)
    assert differences.keys() == {"schema.json", "reference.md", "example.toml"}
    assert "-old" in differences["reference.md"]


def test_the_same_idea_has_the_same_name() -> None:
    for component in components(shipped=True):
        for name in component.model.model_fields:
            for pattern, right in SAME_IDEA.items():
                if re.fullmatch(pattern, name):
                    assert re.fullmatch(right, name), f"{component.kind}.{name} should be {right}"


def test_units_are_in_names() -> None:
    for component in components(shipped=True):
        for name, field in component.model.model_fields.items():
            assert field.description, f"{component.kind}.{name} has no description"
            assert not re.search(r"(_ms|_sec|_secs|_min|_mins|_kb|_mb)$", name), f"{component.kind}.{name}"


def test_every_shipped_kind_says_in_both_languages_what_it_was_tried_against() -> None:
    for component in components(shipped=True):
        loaded: Any = CLASSES[component.family](component.kind)
        assert loaded.spec.verified, component.kind
        assert loaded.spec.verified_zh, f"{component.kind}: verified_zh of its spec is empty"


def test_each_page_says_it_in_its_own(generate: ModuleType) -> None:
    markers = "<!-- channels -->\n<!-- /channels -->\n<!-- stores -->\n<!-- /stores -->\n"
    english, chinese = generate.with_tables(markers, "en"), generate.with_tables(markers, "zh")
    for component in components(shipped=True):
        assert f"| {component.verified} |" in english, component.kind
        assert f"| {component.verified_zh} |" in chinese, component.kind


def test_without_chinese_the_english_one_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "connector_class", lambda kind: ScriptedConnector)
    found = catalogue.component("channels", "scripted")
    assert ScriptedConnector.spec.verified_zh == ""
    assert found.verified_zh == found.verified == "tests"


def test_every_setting_is_in_the_reference() -> None:
    text = (CONFIG / "reference.md").read_text(encoding="utf-8")
    for component in components(shipped=True):
        assert component.title_zh in text
        for name in component.own_fields:
            assert f"| `{name}` |" in text


def test_tables_inside_settings_are_in_the_reference() -> None:
    text = (CONFIG / "reference.md").read_text(encoding="utf-8")
    assert "## The table `oauth`" in text
    assert "| `tenant` |" in text


SECRETS = {
    r".*_AES_KEY": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2V",
    r".*_API_V3_KEY": "c2VjcmV0" * 4,
    r"TELEGRAM_TOKEN": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
    r"WE(CHAT|COM)(_\w+)?_TOKEN": "c2VjcmV0",
    r".*": "whsec_" + "c2VjcmV0" * 4,
}
"""What the example names, in the shapes that platforms give out; the first that fits."""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The example, with every secret it names in its place."""
    text = (CONFIG / "example.toml").read_text(encoding="utf-8")
    for name in re.findall(r'"env:(\w+)"', text):
        monkeypatch.setenv(name, next(value for pattern, value in SECRETS.items() if re.fullmatch(pattern, name)))
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    team = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for path in set(re.findall(r'"file:(/etc/\S+)"', text)):
        copy = tmp_path / Path(path).name
        copy.touch(mode=0o600)
        copy.write_bytes(public if "pub" in copy.name else team if copy.suffix == ".p8" else private)
        text = text.replace(path, str(copy))
    return text


def test_the_example_loads_as_it_is(written: str, tmp_path: Path) -> None:
    path = tmp_path / "allears.toml"
    path.write_text(written, encoding="utf-8")
    configuration = settings.load(path)
    assert {channel.connector for channel in configuration.channels.values()} >= {"email", "folder", "form"}
    assert {one.sink for one in configuration.destinations.values()} >= {"list", "jsonl", "webhook"}
    assert configuration.disabled == ()
    assert configuration.warnings == ()


def test_every_commented_setting_has_a_right_type(written: str, tmp_path: Path) -> None:
    """Uncommented, all of them are known keys with values of their type; only combinations may be refused."""
    path = tmp_path / "allears.toml"
    path.write_text(re.sub(r"(?m)^# (\w+ = .+)$", r"\1", written), encoding="utf-8")
    faults: tuple[settings.Fault, ...] = ()
    try:
        settings.load(path)
    except settings.InvalidConfiguration as error:
        faults = error.faults
    wrong = [fault for fault in faults if fault.place.count(".") > 1 or "unknown" in fault.message]
    assert [str(fault) for fault in wrong] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_fresh_file_loads(tmp_path: Path, language: str) -> None:
    path = tmp_path / "allears.toml"
    path.write_text(example(language=language), encoding="utf-8")
    configuration = settings.load(path)
    assert {channel.connector for channel in configuration.channels.values()} == {"folder", "form"}


def test_schema_names_each_kind() -> None:
    schema = config_schema(shipped=True)
    assert json.loads((CONFIG / "schema.json").read_text(encoding="utf-8")) == schema
    email: dict[str, Any] = schema["$defs"]["connector.email"]
    assert email["properties"]["connector"]["const"] == "email"
    assert set(email["required"]) >= {"connector", "username"}
    assert email["additionalProperties"] is False
    assert "env:NAME" in email["properties"]["password"]["description"]
