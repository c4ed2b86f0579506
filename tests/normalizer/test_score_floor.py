"""The labelled sets, where they are present: no figure falls below what was reached once."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "eval"
FLOORS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("score_floors.toml").read_text(encoding="utf-8"))
METHODS = ("rules", "model")
SETS = [(method, name) for method in METHODS for name in FLOORS.get(method, ())]
with_material = pytest.mark.skipif(not FOLDER.is_dir(), reason="no labelled material in ../shared/eval")


@cache
def evaluation() -> ModuleType:
    """scripts/evaluate.py, which imports its neighbour."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("evaluate", ROOT / "scripts" / "evaluate.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["evaluate"] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "scripts"))


def falls(key: str, reached: float | None, floor: float) -> bool:
    """A figure that is gone has fallen too."""
    if reached is None:
        return True
    return reached > floor if key == "false_complaint" else reached < floor


@with_material
@pytest.mark.parametrize(("method", "name"), SETS)
def test_no_figure_falls(method: str, name: str) -> None:
    module = evaluation()

    figures = module.score_rows(module.load_rows(name), module.METHODS[method]).figures

    fallen = {
        f"{group}: {key}": (figures[group].get(key), floor)
        for group, floors in FLOORS[method][name].items()
        for key, floor in floors.items()
        if falls(key, figures[group].get(key), floor)
    }
    assert fallen == {}


@with_material
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the scorer leaves files open
def test_no_figure_of_mail_falls() -> None:
    reached = {key: right / stated for key, (right, stated) in evaluation().mail_figures()["all"].items()}

    assert {key: reached.get(key) for key, floor in FLOORS["mail"].items() if falls(key, reached.get(key), floor)} == {}


def test_every_set_has_a_floor_for_both_languages() -> None:
    for name in ("authored_dev", "real_dev"):
        floors = FLOORS["rules"][name]
        assert {"all", "zh", "en"} <= floors.keys()
        assert {"nature", "category_1", "category_2", "priority", "f1_expectation", "f1_entities"} <= floors[
            "zh"
        ].keys()


@with_material
def test_further_labelled_rows_need_a_text_and_a_gold_record_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(
        '{"text": "空气炸锅坏了，要求退款", "gold": {"nature": "complaint", "category": "product.function_failure",'
        ' "priority": "P2", "expectation": ["refund"]}}\n'
        '{"text": ["hello", "where is my parcel?"], "gold": {"nature": "question"}, "channel_kind": "whatsapp"}\n',
        encoding="utf-8",
    )
    module = evaluation()

    rows = module.read_rows(file)
    scored = module.score_rows(rows)

    assert [(row["id"], row["lang"]) for row in rows] == [("mine.jsonl:1", "zh"), ("mine.jsonl:2", "en")]
    assert {group: figures["rows"] for group, figures in scored.figures.items()} == {
        "all": 2,
        "en": 1,
        "zh": 1,
        "unknown": 1,
        "whatsapp": 1,
    }
    assert scored.confusion["category_2"] == {"product.function_failure": {"product.function_failure": 1}}
    assert sum(scored.confusion["nature"]["question"].values()) == 1


@with_material
def test_a_row_without_gold_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "坏了", "gold": {"nature": "complaint"}}\n{"text": "坏了"}\n', encoding="utf-8")

    with pytest.raises(ValueError, match=r"mine\.jsonl:2"):
        evaluation().read_rows(file)
