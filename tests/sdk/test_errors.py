from __future__ import annotations

import inspect

import pytest

from allears_sdk import errors
from allears_sdk.errors import AllearsError, RetryLater

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AllearsError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.__name__))
def test_every_error_has_a_message_of_its_own_and_takes_another(kind: type[AllearsError]) -> None:
    assert str(kind()) == (kind.__doc__ or "").splitlines()[0]
    error = kind("工单系统拒绝", detail="422 字段缺失")
    assert (str(error), error.detail) == ("工单系统拒绝", "422 字段缺失")
    assert error.detail not in repr(error)


def test_the_tree_at_the_top_names_them_all() -> None:
    tree = errors.__doc__ or ""
    assert all(kind.__name__ in tree for kind in ALL)
    assert len({str(kind()) for kind in ALL}) == len(ALL)


def test_retry_later_may_say_when() -> None:
    assert RetryLater().after_seconds is None
    assert RetryLater(after_seconds=1.5).after_seconds == 1.5
