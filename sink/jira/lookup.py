"""Finds an issue by the key it was made with.

The search index may lag for hours, issues and their numbers do not ("Search After Write with Search And Reconcile",
"Bulk fetch issues"). So the index is asked for what is older than a day, and the issues of the newest numbers
are fetched themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import InDoubt, Unavailable
from allears_sdk.tickets import answered
from sink.jira.calls import BROWSE, Call, need
from sink.jira.settings import JiraSettings
from sink.jira.texts import plain

PROPERTY = "allears"
BLOCK = 100
"""As many as one call gives."""
EMPTY_BLOCKS = 2
"""So many numbers in a row that nobody has are the end: failed creations and deletions leave gaps."""
MAX_BLOCKS = 40
LAG = timedelta(hours=24)
"""The longest that has been heard of is 12 hours."""
MAX_ANSWER_BYTES = 64 << 20
Issue = Mapping[str, Any]


def label_of(key: str) -> str:
    return key.lower()


class Lookup:
    """For one destination."""

    def __init__(self, settings: JiraSettings, context: Context, call: Call) -> None:
        self._settings = settings
        self._context = context
        self._call = call
        # A request has neither label nor property when it is made: only its text tells.
        self._fields = ["labels", "created", *(["description"] if settings.service_desk else [])]

    async def find(self, key: str) -> Issue | None:
        """The oldest issue that carries the key. Raises AuthError where we may not look, InDoubt where there is too
        much to look at."""
        await need(self._call, self._settings, BROWSE)
        found = [issue for issue in await self._search(_jql(key), 10) if carries(issue, key)]
        if not found and self._settings.is_cloud:
            found = [issue async for issue in self._recent() if carries(issue, key)]
        if len(found) > 1:
            self._context.log.warning("found_several", key=key, tickets=[issue.get("key") for issue in found])
        return min(found, key=lambda issue: int(issue["id"]), default=None)

    async def _search(self, jql: str, count: int) -> Sequence[Issue]:
        path = "search/jql" if self._settings.is_cloud else "search"
        query = {"jql": jql, "maxResults": count, "fields": ",".join(self._fields), "properties": PROPERTY}
        answer = await self._call("GET", f"{self._settings.api}/{path}", params=query)
        return _issues(answered(answer, "issues"))

    async def _recent(self) -> AsyncIterator[Issue]:
        """Those made in the last day, and some older."""
        top = await self._newest_indexed()
        blocks, empty, start = 0, 0, top + 1
        while empty < EMPTY_BLOCKS:
            block = await self._fetch(start)
            for issue in block:
                yield issue
            empty, start, blocks = 0 if block else empty + 1, start + BLOCK, _counted(blocks)
        start = top
        since = self._context.clock.now() - LAG
        while start > 0:
            block = await self._fetch(max(1, start - BLOCK + 1), start)
            for issue in block:
                yield issue
            if block and all(_created(issue) < since for issue in block):
                return
            start, blocks = start - BLOCK, _counted(blocks)

    async def _newest_indexed(self) -> int:
        """The highest number that the index knows; 0 where it knows none."""
        newest = await self._search(f'project = "{self._settings.project}" ORDER BY key DESC', 1)
        return _number(newest[0]) if newest else 0

    async def _fetch(self, first: int, last: int = 0) -> Sequence[Issue]:
        numbers = range(first, (last or first + BLOCK - 1) + 1)
        body = {
            "issueIdsOrKeys": [f"{self._settings.project}-{number}" for number in numbers],
            "fields": self._fields,
            "properties": [PROPERTY],
        }
        url = f"{self._settings.api}/issue/bulkfetch"
        answer = await self._call("POST", url, json=body, repeatable=True, max_bytes=MAX_ANSWER_BYTES)
        if answered(answer).get("issueErrors"):
            raise Unavailable(f"{answer.call.place}: some issues cannot be read now")
        return _issues(answered(answer, "issues"))


def carries(issue: Issue, key: str) -> bool:
    """What a search returns is not believed: the key must stand in it."""
    mine = (issue.get("properties") or {}).get(PROPERTY) or {}
    fields = issue.get("fields") or {}
    return (
        mine.get("key") == key
        or label_of(key) in [str(label).lower() for label in fields.get("labels") or ()]
        or key in plain(fields.get("description") or "")
    )


def _jql(key: str) -> str:
    reference = key[: len("ALE-XXXX-XXXX-XXXX")]
    return f'labels = "{label_of(key)}" OR summary ~ "\\"{reference}\\""'


def _issues(found: Any) -> Sequence[Issue]:
    if not isinstance(found, list) or not all(isinstance(one, dict) and "id" in one for one in found):
        raise Unavailable("Jira's list of issues makes no sense")
    return found


def _number(issue: Issue) -> int:
    return int(str(issue.get("key", "")).rpartition("-")[2] or 0)


def _created(issue: Issue) -> datetime:
    return datetime.fromisoformat(issue["fields"]["created"])


def _counted(blocks: int) -> int:
    if blocks + 1 > MAX_BLOCKS:
        raise InDoubt(f"more than {MAX_BLOCKS * BLOCK} issues in a day: too many to look through")
    return blocks + 1
