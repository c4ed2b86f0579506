"""Reading one account: pages of `sync_msg` from the stored cursor to the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.codec import encode, encode_stable
from allears_sdk.connector import Batch, Cursor, Gap
from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.message import Raw
from allears_sdk.signing import sha256_hex
from connectors._wechat.said import moment
from connectors.wechat_kf.api import BadToken, KfApi

HISTORY = timedelta(days=3)
"""What the platform keeps."""
REFRESH = timedelta(hours=1)
"""A silent account's cursor is noted anew so often, so that its age tells when it was last good."""
CALLBACK_TOKEN = "token"  # noqa: S105 - a name in a wake's hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    cursor: str = ""
    """The platform's; "" is the oldest message it still has."""
    at: datetime | None = None
    """When everything up to the cursor had been read."""

    def dump(self) -> Cursor:
        return {"version": 1, "cursor": self.cursor, "at": self.at.isoformat() if self.at else ""}


def load(cursor: Cursor | None) -> Place:
    if cursor is None:
        return Place()
    at = str(cursor.get("at") or "")
    return Place(cursor=str(cursor["cursor"]), at=datetime.fromisoformat(at) if at else None)


class Walk:
    """`look_back`: what is older on the first run is known, not filed."""

    def __init__(self, api: KfApi, context: Context, look_back: timedelta | None) -> None:
        self._api = api
        self._context = context
        self._look_back = look_back

    async def batches(
        self, open_kfid: str, cursor: Cursor | None, token: str, limit: int
    ) -> AsyncGenerator[Batch, None]:
        place, now = load(cursor), self._context.clock.now()
        gaps = _lost(place, now)
        since = now - self._look_back if cursor is None and self._look_back is not None else None
        has_more = True
        while has_more:
            answer, token, place = await self._page(open_kfid, place, token)
            items, before = _items(answer), place
            has_more = answer.get("has_more") == 1
            place = Place(cursor=str(answer.get("next_cursor") or place.cursor), at=place.at if has_more else now)
            if has_more and not items and place.cursor == before.cursor:
                raise Unavailable("sync_msg says there is more, and does not get on")
            raws = [_raw(item, now, since) for item in items]
            for batch in _cut(raws, place, limit, has_more=has_more, gaps=gaps):
                if batch.raws or batch.gaps or _differs(place, before):
                    yield batch
            gaps = ()

    async def _page(self, open_kfid: str, place: Place, token: str) -> tuple[Mapping[str, Any], str, Place]:
        """With the token and the place that were good. A cursor that is refused is given up for the oldest message
        there is: what was read before is known by its id."""
        try:
            return await self._api.sync(open_kfid, place.cursor, token), token, place
        except BadToken:
            if not token:
                raise
            return await self._page(open_kfid, place, "")
        except Rejected as error:
            if not place.cursor:
                raise
            self._context.log.warning("wechat_kf.cursor_refused", open_kfid=open_kfid, reason=str(error))
            return await self._page(open_kfid, replace(place, cursor=""), token)


def _lost(place: Place, now: datetime) -> Sequence[Gap]:
    """The span between what was read and what the platform still has."""
    if place.at is None or now - place.at <= HISTORY:
        return ()
    return (Gap(since=place.at, until=now - HISTORY, reason="微信客服 keeps messages for three days"),)


def _cut(raws: Sequence[Raw], place: Place, limit: int, *, has_more: bool, gaps: Sequence[Gap]) -> list[Batch]:
    """A page as batches; its cursor is true once the last of them is stored."""
    starts = range(0, max(len(raws), 1), limit)
    return [
        Batch(
            raws=raws[start : start + limit],
            cursor=place.dump() if start == starts[-1] else None,
            gaps=gaps if start == starts[-1] else (),
            more=has_more or start != starts[-1],
        )
        for start in starts
    ]


def _differs(place: Place, before: Place) -> bool:
    if place.cursor != before.cursor or before.at is None:
        return True
    return place.at is not None and place.at - before.at >= REFRESH


def _items(answer: Mapping[str, Any]) -> list[Any]:
    found = answer.get("msg_list")
    return found if isinstance(found, list) else []


def _raw(item: Any, now: datetime, since: datetime | None) -> Raw:
    said = item if isinstance(item, dict) else {}
    key, sent = said.get("msgid"), moment(str(said.get("send_time")))
    return Raw(
        key=key if isinstance(key, str) and key else f"sha256:{sha256_hex(encode_stable(item))}",
        body=encode(item),
        media_type="application/json",
        received_at=now,
        baseline=since is not None and sent is not None and sent < since,
    )
