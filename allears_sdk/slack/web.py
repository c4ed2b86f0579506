"""slack-sdk's client on the house's one HTTP client. Imported with the first call: it weighs 3 MB."""

from __future__ import annotations

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from allears_sdk.errors import InDoubt, Unavailable
from allears_sdk.remote import Remote

_ONCE = frozenset({"chat.postMessage"})
"""What is not the same when it is sent twice."""
MAX_ANSWER_BYTES = 32 << 20


class WebClient(AsyncWebClient):
    """Slack's own client knows its methods; time-outs, repeats, rate limits and proxies are the house's."""

    def __init__(self, remote: Remote, token: str, url: str, account: str) -> None:
        super().__init__(token=token, base_url=url, retry_handlers=[])
        self._remote = remote
        self._account = account

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        """The one place where requests leave slack-sdk."""
        method = api_url.removeprefix(self.base_url)
        is_repeatable = method not in _ONCE
        response = await self._remote.request(
            http_verb,
            api_url,
            headers=req_args.get("headers"),
            params=req_args.get("params"),
            json=req_args.get("json"),
            data=req_args.get("data"),
            repeatable=is_repeatable,
            max_bytes=MAX_ANSWER_BYTES,
            account=f"{self._account} {method}",
        )
        body = response.json()
        if not isinstance(body, dict):
            lost = Unavailable if is_repeatable else InDoubt
            raise lost(f"{response.call.place}: the answer is not what Slack documents")
        return {"data": body, "headers": dict(response.headers), "status_code": response.status}
