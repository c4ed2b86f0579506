"""Reviews of a developer's apps. Google gives those of the last week alone: who listens too late has lost them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from allears_sdk.budget import Budget, Period
from allears_sdk.connector import Ask, Batch, Connector, ConnectorSpec, Cursor, Hears, Identity, Threading, Words
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, ConfigError, Rejected, Unavailable
from allears_sdk.message import Message, Raw
from allears_sdk.settings import ChannelSettings
from allears_sdk.sweep import Page, Sweep
from connectors._google.api import Api, Service
from connectors.google_play import parse
from connectors.google_play.pages import read_page
from connectors.google_play.settings import GooglePlaySettings

WINDOW = timedelta(days=7)
"""Older reviews, unless modified since, are not given."""
ALARM = timedelta(days=5)
OVERLAP = timedelta(hours=24)
PAGE_ITEMS = 100
_BURST_SHARE = 0.25
"""Of an hour's calls may be made at once, the rest evenly: never more than all of them within any hour."""
_SERVICE = Service(
    name="Google Play Android Developer API",
    scope="https://www.googleapis.com/auth/androidpublisher",
    permission="invite this account in Play Console → Users and permissions, with the permission Reply to reviews for "
    "the app (it may take a day to work); Google gives the reviews of the last seven days only",
)


class GooglePlayConnector(Connector[GooglePlaySettings]):
    spec: ClassVar[ConnectorSpec] = ConnectorSpec(
        kind="google_play",
        title_en="Google Play reviews",
        title_zh="Google Play 评价",
        hears=frozenset({Hears.POLL}),
        threading=Threading.ITEM,
        public=True,
        look_back=WINDOW,
        verified="a simulator of the documented API",
        verified_zh="按文档自写的模拟器",
    )
    Settings: ClassVar[type[ChannelSettings]] = GooglePlaySettings

    def __init__(self, settings: GooglePlaySettings, context: Context) -> None:
        super().__init__(settings, context)
        self._api = Api(_SERVICE, context, settings.oauth, timeout_seconds=settings.timeout_seconds)
        self._sweeps = {f"google_play://{app}": self._sweep(app) for app in settings.apps}
        self._warned: dict[str, str] = {}
        """Stream → the last good poll that was warned of."""

    def _sweep(self, app: str) -> Sweep:
        calls = self.settings.calls_per_hour
        per_second = calls * (1 - _BURST_SHARE) / 3600
        self.context.remote.limit(_account(app), per_second=per_second, burst=int(calls * _BURST_SHARE))
        look_back = WINDOW if self.settings.look_back is None else self.settings.look_back
        return Sweep(self.context, partial(self._page, app), look_back=look_back, overlap=OVERLAP, window=WINDOW)

    async def check(self) -> Identity:
        for app in self.settings.apps:
            await self._ask(app, "", limit=1)
        names = [self.settings.name_of(app) for app in self.settings.apps]
        return Identity(
            account=self._api.account,
            details=[Words(f"{name}: may read reviews", zh=f"{name}：可读评价") for name in names],
        )

    async def login(self, ask: Ask) -> None:
        await self._api.oauth.login(ask)

    async def streams(self) -> Sequence[str]:
        return tuple(self._sweeps)

    async def poll(
        self, stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int
    ) -> AsyncIterator[Batch]:
        try:
            async with aclosing(self._sweeps[stream].batches(cursor, limit)) as batches:  # type: ignore[type-var] # an async generator
                async for batch in batches:
                    yield batch
        except AllearsError as error:
            self._warn(stream, str((cursor or {}).get("read") or ""), error)
            raise

    @staticmethod
    def parse(raw: Raw, settings: Any) -> Sequence[Message]:
        return (parse.parse(raw, settings),)

    def _budget(self, app: str) -> Budget:
        calls = self.settings.calls_per_hour
        return Budget(account=_account(app), unit="calls", most=calls, period=Period.HOUR)

    def _warn(self, stream: str, last: str, error: AllearsError) -> None:
        """What is shown of the failure says until when it is to be mended."""
        read = datetime.fromisoformat(last) if last else None
        if read is None or self.context.clock.now() - read < ALARM:
            return
        lost_from = f"{read + WINDOW:%Y-%m-%d %H:%M} UTC"
        if self._warned.get(stream) != last:
            self._warned[stream] = last
            self.context.log.error("reviews_soon_lost", stream=stream, last_read=last, lost_from=lost_from)
        error.args = (f"{error}; from {lost_from} on Google gives no longer what was written since the last good poll",)

    async def _page(self, app: str, position: str) -> Page:
        return read_page(await self._ask(app, position), app, self.context.clock.now())

    async def _ask(self, app: str, position: str, *, limit: int = PAGE_ITEMS) -> dict[str, Any]:
        url = f"{self.settings.url}/androidpublisher/v3/applications/{app}/reviews"
        asked = {"maxResults": limit, "token": position}
        try:
            return await self._api.get(url, asked, account=_account(app), budget=self._budget(app))
        except Rejected as error:
            if position:
                raise Unavailable("Google Play no longer knows the next page", detail=error.detail) from None
            raise ConfigError(
                f"Google Play does not give the reviews of {app}: compare it with the package name in Play Console",
                detail=error.detail,
            ) from None


def _account(app: str) -> str:
    """The limit is the app's, whichever channels ask."""
    return f"google_play:{app}"
