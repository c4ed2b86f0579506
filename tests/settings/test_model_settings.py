"""`[model]`: off by default, complete when on, its key a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from allears.settings import InvalidConfiguration, changed, load
from allears.settings.sections import Configuration

COMPLETE = '[model]\nenabled = true\nbase_url = "http://127.0.0.1:11434/v1"\nmodel = "qwen3:8b"\n'


def read(folder: Path, text: str) -> Configuration:
    path = folder / "allears.toml"
    path.write_text(f'[channels.form]\nconnector = "form"\n{text}', encoding="utf-8")
    return load(path, language="en")


def test_it_is_off_until_somebody_switches_it_on(tmp_path: Path) -> None:
    section = read(tmp_path, "").model
    assert not section.enabled
    assert not section.is_complete
    assert read(tmp_path, COMPLETE).model.enabled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[model]\nenabled = true\n", "base_url"),
        (COMPLETE.replace("http://", "ftp://"), "base_url"),
        (COMPLETE + 'fields = ["handler"]\n', "fields"),
        (COMPLETE + "fields = []\n", "fields"),
        (COMPLETE + "timeout_seconds = 0\n", "timeout_seconds"),
        (COMPLETE + "extra = { messages = [] }\n", "messages"),
        (COMPLETE + "max_call_per_hour = 3\n", "max_calls_per_hour"),
        (COMPLETE + 'api_key = "env:NOT_THERE"\n', "NOT_THERE"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)


def test_the_key_is_a_secret_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("sk-file-12345678\n")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("ALLEARS_MODEL__MODEL", "other")
    configuration = read(tmp_path, COMPLETE + 'api_key = "file:key"\n')
    assert configuration.model.api_key is not None
    assert configuration.model.api_key.get_secret_value() == "sk-file-12345678"
    assert "sk-file" not in repr(configuration)
    assert configuration.model.model == "other"


def test_a_change_is_one_of_its_section_alone(tmp_path: Path) -> None:
    changes = changed(read(tmp_path, ""), read(tmp_path, COMPLETE))
    assert changes.sections == {"model"}
    assert not changes.channels
