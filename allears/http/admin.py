"""The admin room: console, JSON API, health and metrics, on its own port, loopback by default."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import tzinfo
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web

from allears.attachments import Attachments
from allears.console.texts import load_texts
from allears.http.admin_access import Access, Credentials
from allears.http.admin_answer import answer_errors
from allears.http.admin_api import add_api
from allears.http.admin_files import add_files
from allears.http.admin_guard import add_headers, guard_access, guard_host, guard_origin
from allears.http.admin_health import add_health
from allears.http.admin_pages import add_pages
from allears.http.admin_state import STATE, AdminState, Controls
from allears.journal.journal import Journal
from allears_sdk.context import Clock
from allears_sdk.errors import ConfigError
from allears_sdk.words import LANGUAGES

if TYPE_CHECKING:
    from allears.filing.model_step import ModelStep
    from allears.standing import Standing

MAX_BODY_BYTES = 64 * 1024
STOP_SECONDS = 2.0


class AdminServer:
    """`start` it, ask its `port`, `stop` it. Raises ConfigError where it would stand open to a network."""

    def __init__(
        self,
        journal: Journal,
        controls: Controls,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        username: str = "",
        password: str = "",
        language: str = "en",
        public_url: str = "",
        version: str = "",
        allowed_hosts: Sequence[str] = (),
        zone: tzinfo | None = None,
        model: ModelStep | None = None,
        standing: Standing | None = None,
    ) -> None:
        credentials = Credentials(token=token, username=username, password=password)
        if not credentials.are_set and not is_loopback(host):
            raise ConfigError(f"admin: {host} is reachable from outside; set admin.token, or a username and password")
        self._host, self._wanted_port = host, port
        self._allowed = (host, *allowed_hosts)
        self._runner: web.AppRunner | None = None
        self.state = AdminState(
            journal=journal,
            controls=controls,
            clock=clock,
            access=Access(credentials, clock),
            language=language,
            public_url=public_url.rstrip("/"),
            attachments=Attachments(journal, lambda: controls),
            version=version,
            zone=zone,
            model=model,
            standing=standing,
        )

    async def start(self) -> None:
        """Listens when this returns. Raises OSError when the port is taken."""
        await asyncio.gather(*(asyncio.to_thread(load_texts, language) for language in LANGUAGES))
        runner = web.AppRunner(self._app(), access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """The port it listens on; the wanted one before it has started."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else self._wanted_port

    def _app(self) -> web.Application:
        app = web.Application(
            client_max_size=MAX_BODY_BYTES,
            middlewares=[guard_host(self._allowed), answer_errors, guard_access, guard_origin],
        )
        app[STATE] = self.state
        for add in (add_health, add_api, add_pages, add_files):
            add(app.router)
        app.on_response_prepare.append(add_headers)
        return app


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
