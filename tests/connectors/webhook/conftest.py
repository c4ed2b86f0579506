"""Channels as the pages print them, and requests to them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from allears_sdk.connector import Request
from connectors.webhook import WebhookSettings

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "docs" / "channels" / "webhook.md", ROOT / "docs" / "channels" / "webhook.zh-CN.md")
FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime.fromtimestamp(1_750_000_000, UTC)
"""Of the signature vectors."""
TOKEN = "bearer-7f3a9c1d"
OPEN = {"method": "bearer", "secrets": [TOKEN]}


def printed(page: Path) -> dict[str, dict[str, Any]]:
    """Channel name → its table, for every ready mapping on the page."""
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", page.read_text(encoding="utf-8"))
    channels = [tomllib.loads(block)["channels"] for block in blocks]
    return {name: table for one in channels for name, table in one.items() if "connector" in table}


def ready(name: str, *, secret: str = "a-secret-of-the-sender") -> WebhookSettings:
    """The printed channel, with `secret` wherever it names the environment."""
    return WebhookSettings.model_validate(_filled(printed(PAGES[0])[name], secret))


def _filled(value: Any, secret: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, secret) for item in value]
    return secret if isinstance(value, str) and value.startswith("env:") else value


def settings_of(mapping: Mapping[str, Any], **more: Any) -> WebhookSettings:
    return WebhookSettings.model_validate({"auth": OPEN, "map": mapping, **more})


def post(
    body: bytes | str,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    query: list[tuple[str, str]] | None = None,
    path: str = "",
    method: str = "POST",
    address: str = "192.0.2.7",
) -> Request:
    given = {"Content-Type": media_type, "Authorization": f"Bearer {TOKEN}", **(headers or {})}
    return Request(
        method=method,
        path=path,
        query=query or [],
        headers=list(given.items()),
        body=body.encode() if isinstance(body, str) else body,
        remote_address=address,
        received_at=NOW,
    )
