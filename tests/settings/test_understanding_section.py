"""`[understanding]`: what an admin may ask for, and what is said where it cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from allears.settings.loading import load
from allears.settings.understanding_section import UnderstandingSection
from allears_sdk.errors import ConfigError


@pytest.fixture
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)


def test_unasked_it_listens_where_it_is_installed() -> None:
    assert UnderstandingSection().listens
    assert not UnderstandingSection(encoder="never").listens


@pytest.mark.usefixtures("without_numpy")
def test_without_the_extra_nothing_listens_and_nothing_fails() -> None:
    assert not UnderstandingSection().listens


@pytest.mark.usefixtures("without_numpy")
def test_who_asks_for_what_is_not_installed_is_told_what_to_install(tmp_path: Path) -> None:
    file = tmp_path / "allears.toml"
    file.write_text('[understanding]\nencoder = "always"\n')
    with pytest.raises(ConfigError, match=r"pip install .*allears\[encoder\]"):
        load(file)


def test_a_mistyped_value_is_named_with_its_choices(tmp_path: Path) -> None:
    file = tmp_path / "allears.toml"
    file.write_text('[understanding]\nencoder = "sometimes"\n')
    with pytest.raises(ConfigError, match="auto"):
        load(file)
