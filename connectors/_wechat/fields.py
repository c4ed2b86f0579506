"""A callback's fields, from XML or JSON: read leaf by leaf, no external world reached.

XML with a document type is refused before anything in it counts: that is where entities are declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat

from allears_sdk.codec import decode

MAX_DEPTH = 8
MAX_ELEMENTS = 2000


class Hostile(ValueError):
    """XML as no platform sends it: a document type, entities, a tower of elements."""


class Fields:
    """Named values. What is missing, repeated or of another shape is empty, never an error."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """As it was written."""
        value = self._values.get(name)
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def word(self, name: str) -> str:
        """An id or a key: without the blanks that some senders put around it."""
        return self.text(name).strip()

    def inner(self, name: str) -> Fields:
        value = self._values.get(name)
        return Fields(value if isinstance(value, dict) else {})

    def each(self, name: str) -> Sequence[Fields]:
        """Those under a name that may be repeated."""
        value = self._values.get(name)
        found = value if isinstance(value, list) else [value]
        return [Fields(one) for one in found if isinstance(one, dict)]

    def __contains__(self, name: str) -> bool:
        return name in self._values


def read(body: bytes) -> Fields:
    """JSON or XML, by its first letter. Raises Hostile, and ValueError for what is neither."""
    return read_json(body) if body.lstrip()[:1] == b"{" else read_xml(body)


def read_json(body: bytes) -> Fields:
    try:
        return Fields(decode(body, dict[str, Any]))
    except RecursionError:
        raise Hostile("JSON nested too deep") from None


def read_xml(body: bytes) -> Fields:
    """What stands in the root element, whatever its name."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")  # whatever is declared: the platform writes nothing else
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.say
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from None
    if isinstance(reader.root, dict):
        return Fields(reader.root)
    raise ValueError("XML without fields")


def write_xml(values: Mapping[str, str | int]) -> bytes:
    """Texts as CDATA, numbers bare, as the platform writes them."""
    parts = [f"<{name}>{_written(value)}</{name}>" for name, value in values.items()]
    return f"<xml>{''.join(parts)}</xml>".encode()


def _written(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "<![CDATA[" + value.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def _refuse(*_: object) -> None:
    raise Hostile("XML with a document type")


class _Reader:
    """Elements with elements in them become dicts, the others texts, repeated ones lists."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []
        self._count = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise Hostile("XML with too many elements")
        self._open.append((name, {}, []))

    def say(self, text: str) -> None:
        self._open[-1][2].append(text)

    def end(self, name: str) -> None:
        _, inside, texts = self._open.pop()
        value: Any = inside or "".join(texts)
        if not self._open:
            self.root = value
            return
        around = self._open[-1][1]
        if name not in around:
            around[name] = value
        elif isinstance(around[name], list):
            around[name].append(value)
        else:
            around[name] = [around[name], value]
