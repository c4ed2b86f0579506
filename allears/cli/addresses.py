"""Where people find what the daemon serves, as the configuration has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allears.settings import Configuration


def addresses_of(configuration: Configuration) -> dict[str, Any]:
    """`console` and `public` ("" where the port is chosen at the start), `forms`, `chats`: pages that show
    a chat's widget, and `inboxes`: watched folders."""
    admin, public = configuration.admin, configuration.public
    scheme = "https" if public.tls_certificate else "http"
    room = public.base_url.rstrip("/") or _url(scheme, public.host, public.port)
    forms = [name for name, channel in configuration.enabled_channels.items() if channel.connector == "form"]
    return {
        "console": _url("http", admin.host, admin.port),
        "public": room,
        "forms": [f"{room}/in/{name}" for name in forms] if room else [],
        "chats": [f"{room}/in/{name}" for name in chats(configuration)] if room else [],
        "inboxes": [str(path) for path in inboxes(configuration)],
    }


def chats(configuration: Configuration) -> list[str]:
    """Names of the chats that have a page of their own."""
    channels = configuration.enabled_channels.items()
    return [name for name, one in channels if one.connector == "webchat" and getattr(one, "demo_page", False)]


def inboxes(configuration: Configuration) -> list[Path]:
    """The watched folders. A relative one lies in its channel's own data folder."""
    folder = configuration.daemon.data_folder / "channels"
    return [
        folder / name / Path(path).expanduser()
        for name, channel in configuration.enabled_channels.items()
        if channel.connector == "folder" and (path := getattr(channel, "path", None))
    ]


def _url(scheme: str, host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    name = f"[{reachable}]" if ":" in reachable and not reachable.startswith("[") else reachable
    return f"{scheme}://{name}:{port}" if port else ""
