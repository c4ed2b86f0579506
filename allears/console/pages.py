"""Templates → HTML. Everything from outside is escaped by Jinja; no template marks anything safe."""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from allears.console.case import colours_of
from allears.console.labels import field_label, show_value
from allears.console.sight import Sight

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Pages:
    """Jinja2 is imported with the first page: a daemon nobody looks at does not carry it."""

    def render(self, name: str, sight: Sight, **facts: Any) -> str:
        """The page `templates/NAME.html`. Reads templates from disk the first time: call `load` in a thread before."""
        return self._environment.get_template(f"{name}.html").render(sight=sight, t=sight.texts, **facts)

    is_loaded = False

    def load(self) -> None:
        """Import, read and compile everything now."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)
        self.is_loaded = bool(self.static)

    @cached_property
    def static(self) -> dict[str, bytes]:
        folder = files("allears.console").joinpath("static")
        return {name: folder.joinpath(name).read_bytes() for name in STATIC}

    @cached_property
    def digest(self) -> str:
        """Changes with the static files, so that browsers may keep them for ever."""
        return hashlib.sha256(b"".join(self.static.values())).hexdigest()[:12]

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        folder = str(files("allears.console").joinpath("templates"))
        environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(
            digest=self.digest, field_label=field_label, show_value=show_value, link=link, colours_of=colours_of
        )
        environment.filters["path"] = lambda text: quote(str(text), safe="")
        environment.filters["web_link"] = web_link
        return environment


def link(path: str, **parameters: object) -> str:
    """`path` with the parameters that say something."""
    query = urlencode({name: value for name, value in parameters.items() if value not in ("", None, False)})
    return f"{path}?{query}" if query else path


def web_link(url: str) -> str:
    """The URL when it is plain http(s), else nothing: a message must not smuggle in `javascript:`."""
    return url if url.startswith(("https://", "http://")) else ""
