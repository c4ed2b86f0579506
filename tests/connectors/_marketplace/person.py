"""The seller who grants access."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit


class Seller:
    """Opens the page and pastes the address it leads to."""

    def __init__(self, code: str = "c-1", *, lines: int = 1) -> None:
        self.shown = ""
        self._code = code
        self._lines = lines

    async def show(self, url: str, code: str) -> None:
        self.shown = url

    async def prompt(self, text: str) -> str:
        self._lines -= 1
        if self._lines < 0:
            return ""
        query = dict(parse_qsl(urlsplit(self.shown).query))
        return f"{query['redirect_uri']}?code={self._code}&state={query['state']}"
