"""Checks that connectors and sinks share: settings, secrets, and what a class really implements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from allears_sdk.connector import SDK_MAJOR
from allears_sdk.settings import Settings

KIND = re.compile(r"[a-z][a-z0-9_]*")


def check_spec(spec: Any) -> None:
    """What every spec must say."""
    assert KIND.fullmatch(spec.kind), f"kind {spec.kind!r} is not [a-z][a-z0-9_]*"
    assert spec.title_en, "the spec has no English title"
    assert spec.title_zh, "the spec has no Chinese title"
    assert spec.sdk == SDK_MAJOR, f"built for SDK {spec.sdk}, this is {SDK_MAJOR}"
    assert spec.verified, "the spec does not say what this was tried against"


def check_settings(settings: Settings) -> None:
    """Every field explains itself, and a misspelt key is an error."""
    bare = sorted(_undescribed(type(settings)))
    assert not bare, f"settings without a description: {', '.join(bare)}"
    with pytest.raises(ValidationError) as caught:
        type(settings).model_validate({**settings.model_dump(), "no_such_key": 1})
    assert [fault["type"] for fault in caught.value.errors()] == ["extra_forbidden"]


def secrets_in(value: Any) -> list[str]:
    """Every secret in settings, however deep."""
    if isinstance(value, SecretStr):
        return [value.get_secret_value()] if value.get_secret_value() else []
    if isinstance(value, BaseModel):
        return [secret for name in type(value).model_fields for secret in secrets_in(getattr(value, name))]
    if isinstance(value, dict):
        return [secret for item in value.values() for secret in secrets_in(item)]
    if isinstance(value, list | tuple | set | frozenset):
        return [secret for item in value for secret in secrets_in(item)]
    return []


def check_silent(settings: Settings, *shown: object) -> None:
    """None of the settings' secrets stands in what was shown: reprs, log entries, errors with their details."""
    text = " ".join(_seen(item) for item in (settings, *shown))
    leaked = [secret for secret in secrets_in(settings) if secret in text]
    assert not leaked, f"{len(leaked)} of the settings' secrets can be read in reprs, logs or errors"


def overrides(component: object, base: type, method: str) -> bool:
    """Whether the component has its own `method`."""
    return getattr(type(component), method) is not getattr(base, method)


def absent(what: str) -> None:
    """Skips the test: the author's class does not offer `what`."""
    pytest.skip(f"this contract class has no {what}")


def _seen(item: object) -> str:
    if isinstance(item, BaseException):
        return f"{item!r} {item} {getattr(item, 'detail', '')} {_seen(item.__cause__) if item.__cause__ else ''}"
    return f"{item!r} {item}"


def _undescribed(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if not field.description:
            yield path + name
        for nested in _models(field.annotation):
            yield from _undescribed(nested, f"{path}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
