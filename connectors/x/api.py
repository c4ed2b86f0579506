"""Calls to the X API v2, each paid for ("Pricing", "Rate limits", "Response codes and errors")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from allears_sdk.connector import Ask
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, OutOfMoney, RetryLater, Unavailable
from allears_sdk.oauth import OAuth
from allears_sdk.quota import until_reset
from allears_sdk.remote import Response, check_status
from allears_sdk.remote.answers import detail_of
from allears_sdk.renewal import asked_with
from allears_sdk.signing import sha256_hex
from allears_sdk.spending import LOOK_SECONDS, Purchase, Spending
from connectors.x.settings import XSettings

SCOPES = ("tweet.read", "users.read", "offline.access")
MESSAGE_SCOPE = "dm.read"
POST_FIELDS = (
    "author_id,conversation_id,created_at,edit_history_tweet_ids,in_reply_to_user_id,lang,note_tweet,referenced_tweets"
)
MESSAGE_FIELDS = "attachments,created_at,dm_conversation_id,sender_id,text"
MESSAGE_CALLS_PER_MINUTE = 1.0
"""15 in a quarter of an hour."""
MOST_ITEMS = 100
MOST_MEDIA = 4
"""Of a post."""
WAIT_SECONDS = 900.0
"""X counts in quarters of an hour."""
BURST = 10
_NO_CREDITS = frozenset({"usage-capped", "credits-depleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list of posts."""

    path: str
    price: float
    least: int
    """The fewest it can be asked for."""
    asked: Mapping[str, str] = field(default_factory=dict)
    window: timedelta | None = None
    """How far back it gives anything."""
    reach: int = 0
    """Of how many posts it gives the newest only; 0: of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posts:
    """One page, newest first: what there is of each post, its author and its media together."""

    rows: tuple[Mapping[str, Any], ...]
    has_more: bool


class Api:
    """One login, and what it may spend."""

    def __init__(self, settings: XSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        oauth = settings.oauth
        scopes = (*SCOPES, MESSAGE_SCOPE) if settings.read_messages else SCOPES
        self._oauth = OAuth(context, oauth, scopes, account=settings.username) if oauth else None
        secret = settings.bearer_token.get_secret_value() if settings.bearer_token else settings.client_id
        self._account = f"x:{sha256_hex(secret)[:12]}"
        context.remote.limit(self._account, per_second=settings.calls_per_minute / 60, burst=BURST)
        self._messages = f"{self._account}:messages"
        context.remote.limit(self._messages, per_second=MESSAGE_CALLS_PER_MINUTE / 60, burst=BURST)
        budget, currency = settings.monthly_budget, settings.currency
        bill = f"x:@{settings.username.lower()}"  # a new token begins no new count
        self.spending = Spending(context, bill, monthly_budget=budget, currency=currency)

    async def login(self, ask: Ask) -> None:
        if self._oauth is None:
            raise ConfigError("nobody logs in with a bearer_token: set client_id instead")
        await self._oauth.login(ask)

    async def user_id(self, *, again: bool = False) -> str:
        """Of the account; asked for once, since it costs."""
        name = f"x-user-{self._settings.username.lower()}"
        kept = await self._context.tokens.get(name)
        if kept and not again:
            return str(kept["id"])
        found = await self._user()
        await self._context.tokens.put(name, {"id": found})
        return found

    async def _user(self) -> str:
        username, price = self._settings.username, self._settings.prices.user
        async with self.spending.purchase(price, least=1, most=1) as purchase:
            answer = await self._get("/2/users/me" if self._oauth else f"/2/users/by/username/{username}", {})
            found = _dict(answer.get("data"))
            user = str(found.get("id") or "")
            purchase.got("user", [user], price)
        if not user.isdigit():
            raise ConfigError(f"X has no account @{username}")
        if str(found.get("username")).lower() != username.lower():
            raise ConfigError(f"the login is that of @{found.get('username')}, not of @{username}")
        return user

    async def posts(self, source: Source, *, start: datetime, below: str) -> Posts:
        """From the newest, or from below a post, down to a time. Raises OutOfMoney before it would cost too much."""
        prices = self._settings.prices
        most = source.price + prices.user + (MOST_MEDIA * prices.media if self._settings.read_media else 0)
        async with self.spending.purchase(most, least=source.least, most=MOST_ITEMS) as purchase:
            given = {"max_results": purchase.count, "start_time": _stamp(start), **self._asked(), **source.asked}
            answer = await self._get(source.path, given | ({"until_id": below} if below else {}))
            self._pay(purchase, source, answer)
        rows, meta = answer.get("data", []), _dict(answer.get("meta"))
        if not isinstance(rows, list) or "meta" not in answer:
            raise Unavailable(f"X's answer is no list of posts ({_first_error(answer)})")
        return Posts(rows=tuple(_joined(rows, _dict(answer.get("includes")))), has_more=bool(meta.get("next_token")))

    async def messages(self, position: str, *, most: int) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Private messages, the newest first, each with who wrote it, and where older ones are ("GET /2/dm_events")."""
        prices = self._settings.prices
        async with self.spending.purchase(prices.message + prices.user, least=1, most=most) as purchase:
            given = {"max_results": purchase.count, "event_types": "MessageCreate", "dm_event.fields": MESSAGE_FIELDS}
            given |= {"expansions": "sender_id", "user.fields": "name,username"}
            given |= {"pagination_token": position} if position else {}
            answer = await self._get("/2/dm_events", given, account=self._messages)
            purchase.got("message", _ids(answer.get("data"), "id"), prices.message)
            purchase.got("user", _ids(_dict(answer.get("includes")).get("users"), "id"), prices.user)
        rows, meta = answer.get("data", []), _dict(answer.get("meta"))
        if not isinstance(rows, list) or "meta" not in answer:
            raise Unavailable(f"X's answer is no list of messages ({_first_error(answer)})")
        users = {one.get("id"): one for one in _dicts(_dict(answer.get("includes")).get("users"))}
        shown = [{"message": row, "user": users.get(str(_dict(row).get("sender_id")))} for row in rows]
        return shown, str(meta.get("next_token") or "")

    async def picture(self, name: str) -> Response:
        url, most = f"{self._settings.media_url}/media/{name}", self._settings.max_attachment_bytes
        return await self._context.remote.request("GET", url, max_bytes=most)

    def _asked(self) -> dict[str, str]:
        if not self._settings.read_media:
            return {"tweet.fields": POST_FIELDS, "expansions": "author_id", "user.fields": "name,username"}
        return {
            "tweet.fields": f"{POST_FIELDS},attachments",
            "expansions": "author_id,attachments.media_keys",
            "user.fields": "name,username",
            "media.fields": "type,url",
        }

    def _pay(self, purchase: Purchase, source: Source, answer: Mapping[str, Any]) -> None:
        prices, includes = self._settings.prices, _dict(answer.get("includes"))
        purchase.got(f"post at {source.price}", _ids(answer.get("data"), "id"), source.price)
        purchase.got("user", _ids(includes.get("users"), "id"), prices.user)
        purchase.got("media", _ids(includes.get("media"), "media_key"), prices.media)

    async def _get(self, path: str, params: Mapping[str, Any], *, account: str = "") -> dict[str, Any]:
        response = await asked_with(
            self._token,
            lambda token: self._send(path, params, token, account or self._account),
            lambda response: response.status == 401 and self._oauth is not None,
        )
        if not 200 <= response.status < 300:
            raise self._error_of(response)
        return response.json_object()

    async def _send(self, path: str, params: Mapping[str, Any], token: str, account: str) -> Response:
        return await self._context.remote.request(
            "GET",
            f"{self._settings.url}{path}",
            params=params,
            headers={"Authorization": f"Bearer {token}"},
            timeout_seconds=self._settings.timeout_seconds,
            account=account,
            raise_for_status=False,
        )

    async def _token(self, *, stale: str = "") -> str:
        if self._oauth is not None:
            return await self._oauth.access_token(stale=stale)
        assert self._settings.bearer_token is not None
        return self._settings.bearer_token.get_secret_value()

    def _error_of(self, response: Response) -> AllearsError:
        problem, title = _problem(response)
        what, detail = f"{response.call.place}: {response.status} {title}".rstrip(), detail_of(response)
        if problem in _NO_CREDITS or response.status == 402:
            text = "X's credits, or the limit set in its console, are used up: buy or allow more there"
            return OutOfMoney(f"{text} ({what})", after_seconds=LOOK_SECONDS, detail=detail)
        if response.status == 401:
            return AuthError(f"X refuses the login: renew bearer_token, or log in again ({what})", detail=detail)
        if response.status in (403, 404):
            text = "X does not permit this: look at the application's project, its permissions and the account"
            return ConfigError(f"{text} ({what})", detail=detail)
        now = self._context.clock.now()
        if response.status == 429:
            seconds = until_reset(response.header("x-rate-limit-reset"), now)
            return RetryLater(what, after_seconds=WAIT_SECONDS if seconds is None else max(1.0, seconds), detail=detail)
        try:
            check_status(response, now)
        except AllearsError as error:
            return error
        raise AssertionError("a good answer is no error")


def _joined(rows: Iterable[Any], includes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    users = {one.get("id"): one for one in _dicts(includes.get("users"))}
    media = {one.get("media_key"): one for one in _dicts(includes.get("media"))}
    for row in rows:
        keys = _dict(_dict(row).get("attachments")).get("media_keys")
        own = [media[key] for key in keys if isinstance(key, str) and key in media] if isinstance(keys, list) else []
        author = _dict(row).get("author_id")
        yield {"post": row, "user": users.get(author) if isinstance(author, str) else None, "media": own}


def _problem(response: Response) -> tuple[str, str]:
    try:
        answer = _dict(response.json())
    except AllearsError:
        return "", ""
    return str(answer.get("type", "")).rpartition("/")[2], str(answer.get("title", ""))[:100]


def _first_error(answer: Mapping[str, Any]) -> str:
    errors = _dicts(answer.get("errors"))
    return str(errors[0].get("title", "no reason"))[:100] if errors else "no reason"


def _ids(items: Any, name: str) -> list[str]:
    listed = items if isinstance(items, list) else []
    return [str(_dict(one).get(name) or f"item {number}") for number, one in enumerate(listed)]


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(values: Any) -> list[Mapping[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
