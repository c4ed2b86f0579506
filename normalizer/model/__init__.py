"""Statistical help beside the rules: a small linear model, trained by scripts/train.py, that ships in the wheel."""

from __future__ import annotations

from normalizer.model.features import Measures, measures, sequences, spaced
from normalizer.model.opinion import Model, Opinion, load

__all__ = ["Measures", "Model", "Opinion", "load", "measures", "sequences", "spaced"]
