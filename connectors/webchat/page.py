"""The widget as one script, and the page that shows it. Sources in `pages/` are for people; they are packed here."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

from allears_sdk.connector import Answer
from connectors._web.colour import accents
from connectors._web.language import LANGUAGES, Language
from connectors._web.templates import templates
from connectors.webchat.settings import WebchatSettings
from connectors.webchat.words import DEMO, HEADING, INTRO, WORDS

_PAGES = Path(__file__).parent / "pages"
_ASSETS = {"demo.css": "text/css; charset=utf-8", "demo.js": "text/javascript; charset=utf-8"}
_FRESH_SECONDS = 600
_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_EDGES = re.compile(r"^\s+|\s+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    plain: bytes
    packed: bytes
    """gzip."""
    tag: str


class Pages:
    """What one channel shows."""

    def __init__(self, settings: WebchatSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self.folder = quote(name)

    def widget(self) -> Script:
        """Slow the first time."""
        return self._script

    def fresh(self, script: Script, known: str, encodings: str) -> Answer:
        """The widget, or 304 where the browser has it already."""
        headers = {
            "Cache-Control": f"public, max-age={_FRESH_SECONDS}",
            "ETag": script.tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Access-Control-Allow-Origin": "*",
        }
        if script.tag in known:
            return Answer(status=304, headers=headers)
        is_packed = re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", encodings) is not None
        return Answer(
            body=script.packed if is_packed else script.plain,
            media_type="text/javascript; charset=utf-8",
            headers={**headers, "Content-Encoding": "gzip"} if is_packed else headers,
        )

    def asset(self, name: str) -> Answer:
        headers = {"Cache-Control": f"public, max-age={_FRESH_SECONDS}", "X-Content-Type-Options": "nosniff"}
        content = _source(name)
        if name == "demo.css":
            light, dark = accents(self._settings.accent)
            content += f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        return Answer(body=content.encode(), media_type=_ASSETS[name], headers=headers)

    def demo(self, language: Language, address: str) -> Answer:
        """Slow the first time."""
        words = DEMO[language]
        parts = urlsplit(address)
        body = (
            templates(_PAGES)
            .get_template("demo.html")
            .render(
                w=words,
                tag=WORDS[language]["tag"],
                language=language,
                base=f"{self.folder}/",
                snippet=f'<script src="{address}/widget.js" async></script>',
                hint=words["try" if self._settings.position == "right" else "try_left"],
                policy=words["policy"].format(origin=f"{parts.scheme}://{parts.netloc}"),
                version=self._script.tag.strip('"'),
            )
        )
        return Answer(body=body.encode(), media_type="text/html; charset=utf-8", headers=_POLICY)

    @cached_property
    def _script(self) -> Script:
        setup = json.dumps(self._setup(), ensure_ascii=False, separators=(",", ":"))
        style = json.dumps(_packed_style(_source("widget.css") + self._colours()), ensure_ascii=False)
        code = _EDGES.sub("", _COMMENT.sub("", _source("widget.js")))
        whole = f'(()=>{{"use strict";const SETUP={setup},STYLE={style};\n{code}\n}})();\n'.encode()
        tag = f'"{hashlib.sha256(whole).hexdigest()[:16]}"'
        return Script(whole, gzip.compress(whole, 9, mtime=0), tag)

    def _setup(self) -> Mapping[str, object]:
        settings = self._settings
        return {
            "name": self._name,
            "language": settings.language,
            "words": WORDS,
            "heading": {one: getattr(settings, f"heading_{one}") or HEADING[one] for one in LANGUAGES},
            "intro": {one: getattr(settings, f"intro_{one}") or INTRO[one] for one in LANGUAGES},
            "privacy": settings.privacy_url,
            "position": settings.position,
            "maxText": settings.max_text_chars,
            "maxFile": settings.max_file_bytes,
        }

    def _colours(self) -> str:
        light, dark = accents(self._settings.accent)
        return f':host{{{light}}}:host([data-theme="dark"]){{{dark}}}'


def _packed_style(style: str) -> str:
    return re.sub(r"\s*([{};,])\s*|(?<=:)\s+", lambda found: found[1] or "", " ".join(style.split())).replace(";}", "}")


@cache
def _source(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")


_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}
