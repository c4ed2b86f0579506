"""Who the users of a workspace are, as far as it was asked; kept in memory for some hours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from allears_sdk.clock import Clock
from allears_sdk.errors import AllearsError
from allears_sdk.message import Author
from allears_sdk.slack.api import Api

KEEP_SECONDS = 6 * 3600.0
MAX_PEOPLE = 5000
MAX_ASKED = 5
"""For one page: messages never wait long for names; those of authors are asked for once they are stored."""


class People:
    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._known: dict[str, tuple[float, Author]] = {}

    async def find(self, user: str) -> Author:
        """Raises what `users.info` raises."""
        kept = self._kept(user)
        if kept is not None:
            return kept
        author = author_of(user, (await self._api.call("users.info", user=user)).get("user"))
        if len(self._known) >= MAX_PEOPLE:
            self._known.clear()
        self._known[user] = (self._clock.monotonic() + KEEP_SECONDS, author)
        return author

    async def learn(self, users: Collection[str]) -> None:
        """Ask for some of those that are not known. Without their names the messages are as good."""
        strangers = [user for user in dict.fromkeys(users) if self._kept(user) is None]
        try:
            for user in strangers[:MAX_ASKED]:
                await self.find(user)
        except AllearsError:
            return

    def facts(self, users: Iterable[str]) -> dict[str, dict[str, str]]:
        """For `Raw.context`: those that are known."""
        found = {user: self._kept(user) for user in users}
        return {
            user: {"name": author.name, "handle": author.handle, "email": author.email}
            for user, author in found.items()
            if author is not None
        }

    def _kept(self, user: str) -> Author | None:
        until, author = self._known.get(user, (0.0, None))
        return author if until > self._clock.monotonic() else None


def author_of(user: str, known: Any) -> Author:
    """What `users.info` says of somebody."""
    known = known if isinstance(known, dict) else {}
    given = known.get("profile")
    profile: Mapping[str, Any] = given if isinstance(given, dict) else {}
    return Author(
        id=user,
        name=_first(known.get("real_name"), profile.get("real_name"), profile.get("display_name"), known.get("name")),
        handle=_first(profile.get("display_name"), known.get("name")),
        email=_first(profile.get("email")).lower(),
        phone=_first(profile.get("phone")),
    )


def _first(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")
