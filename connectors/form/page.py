"""The pages a customer sees. Templates, style and script are files in `pages/`; style and script are served from
the channel's own path, so the pages need no inline code and work under a strict policy."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from allears_sdk.connector import Answer
from connectors._web.colour import accents
from connectors._web.templates import templates
from connectors.form.settings import FormSettings
from connectors.form.submission import FIELDS, HONEYPOT, MAX_FIELD_CHARS, Fault
from connectors.form.words import FAULTS, WORDS

MAX_BODY_BYTES = 21 << 20
_MEGABYTES = (MAX_BODY_BYTES - (1 << 20)) >> 20
"""What is promised for files; the rest is for the text and the form's own frame."""
PAGES = Path(__file__).parent / "pages"
_HTML = "text/html; charset=utf-8"
_ASSETS = {"form.css": "text/css; charset=utf-8", "form.js": "text/javascript; charset=utf-8"}


class Pages:
    """The pages of one channel."""

    def __init__(self, settings: FormSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._policy = _policy(settings)

    def form(
        self, language: str, *, values: Mapping[str, str] | None = None, faults: Sequence[Fault] = (), status: int = 200
    ) -> Answer:
        """The empty form, or one with what was typed and what to mend."""
        values = {**dict.fromkeys((*FIELDS, "submission"), ""), **(values or {})}
        return self._html(
            "form.html",
            language,
            status=status,
            values=values,
            faults=[(fault.field, explain(fault, language)) for fault in faults],
            submission=values["submission"] or secrets.token_urlsafe(16),
            honeypot=HONEYPOT,
            limits={"text": self._settings.max_text_chars, "field": MAX_FIELD_CHARS, "files": self._settings.max_files},
            megabytes=_MEGABYTES,
        )

    def thanks(self, language: str, reference: str) -> Answer:
        return self._html("thanks.html", language, reference=reference)

    def poster(self, language: str, address: str) -> Answer:
        return self._html("poster.html", language, base="", address=address)

    def asset(self, name: str) -> Answer:
        """Style and script; their links carry a version, so they may be kept for ever."""
        return Answer(
            body=_asset(name, self._settings.accent),
            media_type=_ASSETS[name],
            headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
        )

    def _html(self, template: str, language: str, *, status: int = 200, **facts: Any) -> Answer:
        words = WORDS[language]
        body = (
            templates(PAGES)
            .get_template(template)
            .render(
                {"base": f"{quote(self._name)}/", **facts},
                w=words,
                language=language,
                settings=self._settings,
                heading=getattr(self._settings, f"heading_{language}") or words["heading"],
                intro=getattr(self._settings, f"intro_{language}") or words["intro"],
                version=_version(self._settings.accent),
            )
        )
        return Answer(status=status, body=body.encode(), media_type=_HTML, headers=self._policy)


def explain(fault: Fault, language: str) -> str:
    label = WORDS[language][fault.field]
    return FAULTS[language][fault.code].format(label=label, limit=fault.limit, actual=fault.actual)


@lru_cache(maxsize=16)
def qr_code(address: str) -> bytes:
    """The address as an SVG picture; error correction M bears a scratched poster."""
    import io

    import segno

    picture = io.BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="svg", scale=8, border=2, light="#fff")
    return picture.getvalue()


def _policy(settings: FormSettings) -> dict[str, str]:
    logo = urlsplit(settings.logo_url)
    pictures = f" {logo.scheme}://{logo.netloc}" if logo.netloc else ""
    framers = " ".join(("'self'", *settings.allowed_origins))
    return {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        f"img-src 'self'{pictures}; form-action 'self'; base-uri 'none'; frame-ancestors {framers}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
    }


@lru_cache(maxsize=16)
def _asset(name: str, accent: str) -> bytes:
    content = (PAGES / name).read_bytes()
    if name == "form.css":
        content += _accents(accent).encode()
    return content


@lru_cache(maxsize=16)
def _version(accent: str) -> str:
    return hashlib.sha256(b"".join(_asset(name, accent) for name in _ASSETS)).hexdigest()[:8]


def _accents(accent: str) -> str:
    light, dark = accents(accent)
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root{{{dark}}} }}\n"
