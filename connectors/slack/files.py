"""Files of messages: their bytes, with the bot's token, and only ever from Slack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allears_sdk.connector import Media
from allears_sdk.errors import AuthError, Rejected
from connectors.slack.settings import SlackSettings
from connectors.slack.workspaces import Workspace

_HOSTS = (".slack.com", ".slack-gov.com", ".slack-files.com")
_PAGE = "text/html"


async def fetch_file(locator: Mapping[str, Any], workspace: Workspace, settings: SlackSettings) -> Media:
    """Raises Rejected where it is gone or lies elsewhere, and what a download raises."""
    file = dict(locator)
    if not file.get("url"):
        answer = await workspace.api.call("files.info", file=str(file.get("file", "")))
        known = answer.get("file")
        file |= _told(known if isinstance(known, dict) else {})
    url = str(file.get("url") or "")
    if not _is_slack(url, settings):
        raise Rejected("Slack says no place of its own where this file lies")
    response = await workspace.api.download(url, settings.max_attachment_bytes)
    media_type = response.header("content-type").partition(";")[0].strip().lower()
    if media_type == _PAGE and file.get("media_type") != _PAGE:
        raise AuthError("Slack shows its log-in page instead of the file: give the app the scope files:read")
    return Media(
        content=response.content,
        media_type=str(file.get("media_type") or media_type or "application/octet-stream"),
        name=str(file.get("name") or ""),
    )


def _told(known: Mapping[str, Any]) -> dict[str, Any]:
    url = known.get("url_private_download") or known.get("url_private")
    return {"url": url, "media_type": known.get("mimetype") or "", "name": known.get("name") or ""}


def _is_slack(url: str, settings: SlackSettings) -> bool:
    """The token goes nowhere else, whatever a message says."""
    try:
        parts, own = urlsplit(url), urlsplit(settings.url)
    except ValueError:
        return False
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return True
    host = (parts.hostname or "").lower()
    return parts.scheme == "https" and parts.username is None and host.endswith(_HOSTS)
