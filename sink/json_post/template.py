"""A JSON body as a template: its texts are Jinja2, and what is only known at the call stands in it by name.

`"{{ title }}"` alone keeps the type of its value. `"$ticket"` and `"$secret:NAME"`, each alone, are filled in when the
call is made; `{"$json": …}` becomes JSON as a text. Customers' words can be none of these: what is filled in later
stands in the frozen body as an object that no text can make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from allears_sdk.codec import encode
from allears_sdk.tickets.facts import as_text
from allears_sdk.tickets.templates import check_template, render

NAMES = ("subject", "text", "key", "ticket_key", "field", "urgency")
"""What a body may name beside the facts of a record."""
_LATER = "$later"
_TICKET = "$ticket"
_SECRET = "$secret:"  # noqa: S105 - a mark, not a secret
_JSON = "$json"
_ALONE = re.compile(r"\{\{\s*([a-z_0-9]+)(?:\.([\w]+))?\s*\}\}")


def check_body(body: Any) -> None:
    """Raises ValueError for a text in it that is no template."""
    for text in texts_in(body):
        if not text.startswith("$"):
            check_template(text, *NAMES)
        elif text != _TICKET and not text.startswith(_SECRET):
            raise ValueError(f'"{text}": only "{_TICKET}" and "{_SECRET}NAME" begin with $')


def secrets_in(body: Any) -> set[str]:
    """Names of the secrets it wants."""
    return {text.removeprefix(_SECRET) for text in texts_in(body) if text.startswith(_SECRET)}


def texts_in(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict | list):
        for one in body.values() if isinstance(body, dict) else body:
            yield from texts_in(one)


def fill(body: Any, facts: Mapping[str, Any]) -> Any:
    """Pure. Raises Rejected where a template fails on these facts."""
    if isinstance(body, str):
        return {_LATER: body} if body.startswith("$") else _filled(body, facts)
    if isinstance(body, list):
        return [fill(one, facts) for one in body]
    if isinstance(body, dict):
        if set(body) == {_JSON}:
            return {_LATER: _JSON, "value": fill(body[_JSON], facts)}
        return {name: fill(one, facts) for name, one in body.items()}
    return body


def finish(body: Any, ticket: str, secret: Callable[[str], str]) -> Any:
    """What `fill` left, with what only the call knows."""
    if isinstance(body, list):
        return [finish(one, ticket, secret) for one in body]
    if not isinstance(body, dict):
        return body
    later = body.get(_LATER)
    if later is None:
        return {name: finish(one, ticket, secret) for name, one in body.items()}
    if later == _JSON:
        return encode(finish(body["value"], ticket, secret)).decode()
    return ticket if later == _TICKET else secret(later.removeprefix(_SECRET))


def _filled(text: str, facts: Mapping[str, Any]) -> Any:
    alone = _ALONE.fullmatch(text)
    if alone is None:
        return render(text, facts)
    value = facts.get(alone[1], "")
    if alone[2]:
        value = value.get(alone[2], "") if isinstance(value, dict) else ""
    if isinstance(value, tuple | list):
        return list(value)
    return value if isinstance(value, str | int | float) else as_text(value)
