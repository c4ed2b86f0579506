"""Secrets by reference: `env:NAME` or `file:/path` instead of the words themselves.

They are put in place before validation, so that a component's own checks see the real value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from allears.settings.faults import say

Path_ = tuple[str, ...]


class Revealer:
    """Walks one section along its model. `failed` and `warned` tell, by path, what is wrong and what is unwise."""

    def __init__(self, folder: Path, language: str) -> None:
        self._folder = folder
        self._language = language
        self.failed: dict[Path_, str] = {}
        self.warned: dict[Path_, str] = {}

    def reveal(self, data: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
        """The section with every secret in its place; one that cannot be had stays as it was and is in `failed`."""
        return self._table(data, model, ())

    def _table(self, data: Mapping[str, Any], model: type[BaseModel], path: Path_) -> dict[str, Any]:
        fields = model.model_fields
        return {
            key: self._value(value, fields[key].annotation, (*path, key)) if key in fields else value
            for key, value in data.items()
        }

    def _value(self, value: Any, annotation: Any, path: Path_) -> Any:
        for arm in _arms(annotation):
            if isinstance(value, str) and arm is SecretStr:
                return self._secret(value, path)
            if isinstance(value, dict) and isinstance(arm, type) and issubclass(arm, BaseModel):
                return self._table(value, arm, path)
            if isinstance(value, dict) and len(get_args(arm)) == 2:
                return {key: self._value(item, get_args(arm)[1], (*path, key)) for key, item in value.items()}
            if isinstance(value, list) and get_args(arm):
                return [self._value(item, get_args(arm)[0], (*path, str(at))) for at, item in enumerate(value)]
        return value

    def _secret(self, value: str, path: Path_) -> str:
        kind, _, where = value.partition(":")
        if kind == "env":
            return self._from_environment(where.strip(), path) or value
        if kind == "file":
            return self._from_file(self._folder / Path(where.strip()).expanduser(), path) or value
        if value:
            self.warned[path] = say(self._language, "literal_secret")
        return value

    def _from_environment(self, name: str, path: Path_) -> str:
        value = os.environ.get(name)
        if value is None:
            self.failed[path] = say(self._language, "no_variable", name=name)
        elif not value:
            self.failed[path] = say(self._language, "empty_secret", where=name)
        return value or ""

    def _from_file(self, file: Path, path: Path_) -> str:
        try:
            value = file.read_text(encoding="utf-8").strip()
            mode = file.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            self.failed[path] = say(self._language, "no_secret_file", path=file, reason=reason)
            return ""
        if not value:
            self.failed[path] = say(self._language, "empty_secret", where=file)
        if mode & stat.S_IROTH:
            self.warned[path] = say(self._language, "open_secret_file", path=file)
        return value


def _arms(annotation: Any) -> list[Any]:
    """The types a value may have: the members of a union, annotations taken off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _arms(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [arm for member in get_args(annotation) for arm in _arms(member)]
    return [annotation]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings models that a value of this type is, or holds."""
    found = [arm for arm in _arms(annotation) if isinstance(arm, type) and issubclass(arm, BaseModel)]
    return found + [model for arm in _arms(annotation) for inner in get_args(arm) for model in models_in(inner)]


def holds_secret(annotation: Any) -> bool:
    """Whether values of this type are secrets, or hold some."""
    return any(arm is SecretStr or any(map(holds_secret, get_args(arm))) for arm in _arms(annotation))
