"""The labelled sets, where they are present: no figure falls below what was reached once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "eval"
FLOORS = {
    "authored_dev": {
        "nature": 0.91,
        "category_1": 0.9,
        "category_2": 0.86,
        "priority": 0.82,
        "f1_expectation": 0.95,
        "f1_entities": 0.98,
    },
    "real_dev": {
        "nature": 0.89,
        "category_1": 0.75,
        "category_2": 0.63,
        "priority": 0.73,
        "f1_expectation": 0.72,
        "f1_entities": 0.85,
    },
}


def evaluation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate", ROOT / "scripts" / "evaluate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evaluate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no labelled material in ../shared/eval")
@pytest.mark.parametrize("name", sorted(FLOORS))
def test_no_figure_falls(name: str) -> None:
    module = evaluation()
    figures = module.record_figures(module.load_rows(name))
    reached = next(values for group, values in figures.items() if group.startswith("all"))

    assert {key: reached[key] for key, floor in FLOORS[name].items() if reached[key] < floor} == {}


MAIL_FLOORS = {
    "no_error": 1.0,
    "sender": 0.99,
    "subject": 0.97,
    "body_near": 0.95,
    "att_count": 0.97,
    "att_names": 0.87,
    "att_sizes": 0.9,
    "trim_exact": 0.93,
}


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no labelled material in ../shared/eval")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the scorer leaves files open
def test_no_figure_of_mail_falls() -> None:
    reached = {key: right / stated for key, (right, stated) in evaluation().mail_figures()["all"].items()}

    assert {key: reached[key] for key, floor in MAIL_FLOORS.items() if reached[key] < floor} == {}
