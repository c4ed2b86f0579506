"""Shapes of entities, read from `shapes.toml` and compiled once per process."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    kind: str
    """An entity kind, or "" for a decoy."""
    name: str
    needs: str
    cased: bool
    where: str
    pattern: re.Pattern[str]
    """Its last matched group is the entity; without groups (or when `model` matched) the whole match."""


@dataclass(frozen=True, slots=True)
class Shapes:
    everywhere: tuple[Shape, ...]
    signature: tuple[Shape, ...]
    not_names: frozenset[str]
    """Words that no person's name contains (Ltd, Manager, Regards), case-folded."""


@lru_cache(maxsize=1)
def load_shapes() -> Shapes:
    text = resources.files("normalizer.rules").joinpath("shapes.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    shapes = [
        Shape(
            kind=row["kind"],
            name=row["name"],
            needs=row["needs"],
            cased=row.get("cased", False),
            where=row.get("where", "text"),
            pattern=re.compile(row["pattern"].replace("{SURNAME}", data["surnames"]), re.MULTILINE),
        )
        for row in data["shape"]
    ]
    return Shapes(
        tuple(shape for shape in shapes if shape.where == "text"),
        tuple(shape for shape in shapes if shape.where == "signature"),
        frozenset(data["not_names"].split()),
    )
