"""An admin's own texts: Jinja2 in its sandbox, with a record's facts and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from allears_sdk.errors import Rejected

if TYPE_CHECKING:
    from jinja2 import Template

EXTRAS = ("language", "said", "changes", "files", "facts", "sequence", "kind")
"""What a template may name beside the facts: see `render`."""
MAX_CHARS = 1_000_000


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Plain text: whoever puts it into HTML escapes all of it.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    return environment.from_string(text)


def check_template(text: str, *more: str) -> None:
    """Raises ValueError for what is no template, or names what no record has; `more` may be named besides."""
    if not text:
        return
    from jinja2 import TemplateError, meta

    from allears_sdk.tickets.facts import FACTS

    try:
        tree = _compiled(text).environment.parse(text)
    except TemplateError as error:
        raise ValueError(f"not a template: {error}") from None
    if unknown := sorted(meta.find_undeclared_variables(tree) - {*FACTS, *EXTRAS, *more}):
        raise ValueError(f"{', '.join(unknown)}: no fact of a record; there are {', '.join((*FACTS, *EXTRAS, *more))}")


def render(text: str, facts: Mapping[str, Any]) -> str:
    """`facts`: those of the record, and `said` (new messages: author, at, text, kind), `changes` (lines), `files`
    (lines), `facts` (the built-in block), `sequence`, `kind`. Raises Rejected where the template fails on them."""
    from jinja2 import TemplateError

    try:
        made = _compiled(text).render(facts)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise Rejected(f"the template fails on this complaint: {error}") from None
    if len(made) > MAX_CHARS:
        raise Rejected(f"the template makes {len(made)} characters of this complaint")
    return made
