"""What goes wrong in worker processes; imported there by name, as connectors of third parties are."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from allears_sdk import registry
from allears_sdk.connector import Connector, ConnectorSpec, Hears, Reception, Request, Threading
from allears_sdk.errors import BadMessage
from allears_sdk.message import Message, Rating, Raw
from allears_sdk.settings import ChannelSettings

POISON = "text/x-poison"


def double(number: int) -> int:
    return 2 * number


def pid() -> int:
    return os.getpid()


def die(code: int) -> None:
    os._exit(code)


def hang(seconds: float) -> None:
    time.sleep(seconds)


def fail(words: str) -> None:
    raise ValueError(words)


class PoisonConnector(Connector[ChannelSettings]):
    """Its raws say what their parsing does."""

    spec = ConnectorSpec(
        kind="poison",
        title_en="Poison",
        title_zh="毒药",
        hears=frozenset({Hears.RECEIVE}),
        threading=Threading.ITEM,
        verified="tests",
    )
    Settings = ChannelSettings

    async def receive(self, request: Request) -> Reception:
        return Reception()

    @classmethod
    def parse(cls, raw: Raw, settings: Any) -> Sequence[Message]:
        words = raw.body.decode()
        if words.startswith("exit"):
            os._exit(9)
        if words.startswith("hang"):
            time.sleep(60)
        if words.startswith("bad"):
            raise BadMessage("字段缺失: no field `text`")
        if words.startswith("bug"):
            raise ZeroDivisionError("一个 bug")
        if words.startswith("surrogate"):
            return [Message(text="half an emoji \ud83d")]
        if words.startswith("nan"):
            return [Message(text=words, rating=Rating(value=math.nan))]
        if words.startswith("two"):
            return [Message(text=f"{words} 一"), Message(text=f"{words} 二")]
        return [Message(text=words)]


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """As if a package with this connector were installed in `folder`."""
    info = folder / "poison-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: poison\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[allears.connectors]\npoison = tests.workers.poison:PoisonConnector\n")
    sys.path.append(str(folder))
    registry._by_kind.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        registry._by_kind.cache_clear()
