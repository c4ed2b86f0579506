"""Calls to a JMAP server: the session, methods in one request, blobs. Everything asked here may be asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from allears_sdk.context import Context
from allears_sdk.errors import Rejected, Unavailable
from allears_sdk.remote import Response, basic_auth
from connectors.jmap.faults import check, method_error
from connectors.jmap.session import CORE, MAIL, MAX_REQUESTS, Session, read_session
from connectors.jmap.settings import JmapSettings

MAX_ANSWER_BYTES = 32 << 20
SLACK_BYTES = 1 << 20

Method = tuple[str, Mapping[str, Any]]
"""Name and arguments; the account is put in."""


class MethodFailed(Unavailable):
    """A method that a caller knows how to do without answered with an error."""

    def __init__(self, name: str, error: Mapping[str, Any]) -> None:
        super().__init__(f"{name}: {error.get('type')}")
        self.type = str(error.get("type", ""))
        self.arguments = error.get("arguments")
        self.error = error


class Api:
    """One account at one server."""

    def __init__(self, settings: JmapSettings, context: Context) -> None:
        self.settings = settings
        self.context = context
        self._session: Session | None = None
        self._finding = asyncio.Lock()
        self._gate = asyncio.Semaphore(MAX_REQUESTS)
        self._gate_size = MAX_REQUESTS

    @property
    def authorisation(self) -> dict[str, str]:
        if self.settings.token is not None:
            return {"Authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        password = self.settings.password.get_secret_value() if self.settings.password else ""
        return {"Authorization": basic_auth(self.settings.username, password)}

    async def session(self) -> Session:
        """Asked for once, and again when an answer says that it has changed."""
        async with self._finding:
            if self._session is None:
                url = self.settings.session_url
                response = await self._send("GET", url)
                check(response, self.context.clock.now(), url)
                self._session = read_session(response.content, response.url or url)
                self._narrow(self._session.limit("maxConcurrentRequests", MAX_REQUESTS))
            return self._session

    def forget(self) -> None:
        self._session = None

    async def call(self, *methods: Method) -> list[dict[str, Any]]:
        """The answers, in order. Raises MethodFailed for the first that is an error."""
        session = await self.session()
        account = session.account(self.settings.account)
        calls = [[name, {"accountId": account, **given}, str(at)] for at, (name, given) in enumerate(methods)]
        url = session.endpoint(session.api_url)
        async with self._gate:
            response = await self._send("POST", url, json={"using": [CORE, MAIL], "methodCalls": calls})
        if response.status == 404:
            self.forget()  # its address may have changed
        check(response, self.context.clock.now(), url)
        answered = _answers(response)
        if answered.get("sessionState", session.state) != session.state:
            self.forget()
        try:
            return _in_order(answered, methods)
        except MethodFailed:
            self.forget()  # limits and accounts may be others by now
            raise

    async def one(self, name: str, **given: Any) -> dict[str, Any]:
        """One method's answer. Raises what its error asks for."""
        try:
            (answer,) = await self.call((name, given))
        except MethodFailed as error:
            raise method_error(name, error.error) from None
        return answer

    async def download(self, blob: str, size: int) -> bytes | None:
        """A blob's bytes; None: there is none. Raises Rejected when it is much larger than `size`, or refused."""
        session = await self.session()
        account = session.account(self.settings.account)
        given = {"accountId": account, "blobId": blob, "name": "mail.eml", "type": "message/rfc822"}
        url = session.endpoint(session.download_url, **given)
        response = await self._send("GET", url, max_bytes=size + size // 2 + SLACK_BYTES)
        if response.status in (404, 410):
            return None
        if 400 <= response.status < 500 and response.status not in (401, 408, 425, 429):
            raise Rejected(f"the server does not hand over a mail: {response.status}")
        check(response, self.context.clock.now(), url)
        return response.content

    async def limit(self, name: str, most: int) -> int:
        return (await self.session()).limit(name, most)

    def _narrow(self, size: int) -> None:
        if size < self._gate_size:
            self._gate, self._gate_size = asyncio.Semaphore(size), size

    async def _send(self, method: str, url: str, **given: Any) -> Response:
        return await self.context.remote.request(
            method,
            url,
            headers={**self.authorisation, "Accept": "application/json, */*;q=0.5"},
            timeout_seconds=self.settings.timeout_seconds,
            repeatable=True,
            raise_for_status=False,
            **{"max_bytes": MAX_ANSWER_BYTES, **given},
        )


def _answers(response: Response) -> dict[str, Any]:
    answered = response.json()
    if not isinstance(answered, dict) or not isinstance(answered.get("methodResponses"), list):
        raise Unavailable("the server's answer is no JMAP response")
    return answered


def _in_order(answered: Mapping[str, Any], methods: Sequence[Method]) -> list[dict[str, Any]]:
    """The first answer to each call: a method may have more to say than was asked."""
    found: dict[str, dict[str, Any]] = {}
    for entry in answered["methodResponses"]:
        match entry:
            case ["error", dict() as error, str(at)] if at not in found:
                name = methods[int(at)][0] if at.isdecimal() and int(at) < len(methods) else "a method"
                raise MethodFailed(name, error)
            case [str(), dict() as answer, str(at)]:
                found.setdefault(at, answer)
            case _:
                raise Unavailable("the server's answer is no JMAP response")
    if len(found) < len(methods):
        raise Unavailable("the server left a method unanswered")
    return [found[str(at)] for at in range(len(methods))]
