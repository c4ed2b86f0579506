"""What transport errors and status codes mean: which error of `allears_sdk.errors` they become."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from allears_sdk.errors import AllearsError, AuthError, InDoubt, Rejected, RetryLater, Unavailable
from allears_sdk.quota import number_of, until_reset
from allears_sdk.remote.exchange import Call, Response

MAX_DETAIL = 500
MAX_AFTER_SECONDS = 86_400.0
_LATER = frozenset({425, 429, 503})
_NEVER_SENT = frozenset(
    {
        "ClientConnectorError",
        "ClientHttpProxyError",
        "ConnectionTimeoutError",
        "InvalidURL",
        "NonHttpUrlClientError",
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
        "LocalProtocolError",
    }
)
_WORDS = {
    "ClientConnectorCertificateError": "its certificate is not trusted",
    "ClientSSLError": "no TLS with it",
    "ClientConnectorDNSError": "its host name is not found",
    "ClientConnectorError": "cannot be reached",
    "ConnectionTimeoutError": "cannot be reached in time",
    "ConnectTimeout": "cannot be reached in time",
    "ConnectError": "cannot be reached",
    "ServerDisconnectedError": "the connection broke",
    "TimeoutError": "no answer in time",
    "TimeoutException": "no answer in time",
}
_NO_URL = frozenset({"InvalidURL", "UnsupportedProtocol", "NonHttpUrlClientError", "LocalProtocolError"})


def error_of(error: Exception, call: Call) -> AllearsError:
    """A transport's exception → ours.

    httpx-aiohttp reports a connection the server dropped as `ConnectTimeout`, as if nothing had been sent; so the
    aiohttp exception underneath decides where there is one.
    """
    cause = error.__cause__ if type(error.__cause__).__module__.startswith("aiohttp") else error
    kinds = [kind.__name__ for kind in type(cause).__mro__]
    names = frozenset(kinds)
    if names & _NO_URL:
        return Rejected(f"{call.place}: not a URL we can call")
    words = next((_WORDS[kind] for kind in kinds if kind in _WORDS), "no answer")
    what = f"{call.place}: {words} ({kinds[0]})"
    if names & _NEVER_SENT:
        return Unavailable(what, detail=str(cause)[:MAX_DETAIL] if "ClientConnectorError" in names else "")
    return lost(what, call)


def lost(what: str, call: Call) -> AllearsError:
    """The answer to this call was lost."""
    return Unavailable(what) if call.repeatable else InDoubt(what)


def check_status(response: Response, now: datetime) -> None:
    """Raises the error that the status asks for; 2xx passes."""
    status, call = response.status, response.call
    if 200 <= status < 300:
        return
    what, detail = f"{call.place}: {status}", detail_of(response)
    if status == 401:
        raise AuthError(what, detail=detail)
    if status in _LATER:
        raise RetryLater(what, after_seconds=retry_after(response.headers, now), detail=detail)
    if status < 400 or status >= 500 or status == 408:
        error = lost(what, call)
        error.detail = detail
        raise error
    raise Rejected(what, detail=detail)


def detail_of(response: Response) -> str:
    """The other side's own words, shortened, without what we sent as headers."""
    text = " ".join(response.text()[: 4 * MAX_DETAIL].split())
    for value in response.call.headers.values():
        for secret in {value, value.rpartition(" ")[2]}:
            text = text.replace(secret, "…") if len(secret) >= 8 else text
    return text[:MAX_DETAIL]


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or a date), else `X-RateLimit-Reset` (seconds, Unix time in seconds or
    milliseconds, or an ISO time); None where neither says. At most a day. Header names are lower case."""
    seconds = _seconds(headers.get("retry-after", ""), now)
    if seconds is None:
        seconds = until_reset(headers.get("x-ratelimit-reset", ""), now)
    return None if seconds is None else min(max(seconds, 0.0), MAX_AFTER_SECONDS)


def _seconds(value: str, now: datetime) -> float | None:
    seconds = number_of(value)
    if seconds is not None or not value:
        return seconds
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
