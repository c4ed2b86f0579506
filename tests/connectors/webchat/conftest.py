"""A web chat to talk to, and requests as its widget and programs send them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from allears_sdk.connector import Accepted, Answer, Reception, Request
from allears_sdk.context import Context
from allears_sdk.message import Message, Raw
from allears_sdk.testing.clock import START
from connectors.webchat import WebchatConnector, WebchatSettings

SITE = "https://www.shop.example"
KEY = "key-of-our-own-servers"
IDENTITY = "shared-with-the-website"
TOKEN = "Zq3xJ0cT9m_8VbYk2LwP5A"
OTHER_TOKEN = "a1B2c3D4e5F6g7H8i9J0kL"
REFERENCE = "ALE-7K3M-Q9TX-4RWD"

MakeChat = Callable[..., WebchatConnector]


@pytest.fixture
def make_chat(context: Context) -> MakeChat:
    def make(**settings: Any) -> WebchatConnector:
        known = {"allowed_origins": [SITE], "api_key": KEY, "identity_secret": IDENTITY}
        return WebchatConnector(WebchatSettings.model_validate(known | settings), context)

    return make


@pytest.fixture
def chat(make_chat: MakeChat) -> WebchatConnector:
    return make_chat()


def request(
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
) -> Request:
    return Request(
        method=method,
        path=path,
        query=query,
        headers=tuple((headers or {}).items()),
        body=body,
        remote_address="192.0.2.7",
        received_at=START,
    )


def visitor(token: str = TOKEN, origin: str = SITE) -> dict[str, str]:
    return {"Authorization": f"Visitor {token}", "Origin": origin}


def program(key: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post(text: str = "耳机左边没声音了", by: Mapping[str, str] | None = None, **fields: Any) -> Request:
    body = json.dumps({"id": "m1", "text": text, **fields}, ensure_ascii=False).encode()
    return request("POST", "/messages", body, {"Content-Type": "application/json", **(visitor() if by is None else by)})


def upload(content: bytes, file: str = "f1", by: Mapping[str, str] | None = None, **query: str) -> Request:
    headers = {"Content-Type": "image/jpeg", **(visitor() if by is None else by)}
    return request("PUT", f"/files/{file}", content, headers, list(query.items()))


def answered(reception: Reception, *, is_new: bool = True) -> Answer:
    accepted = [Accepted(key=raw.key, is_new=is_new, reference=REFERENCE, opened=is_new) for raw in reception.raws]
    return reception.answer(accepted)


async def taken(chat: WebchatConnector, sent: Request) -> Raw:
    """The one raw of a request that must be taken."""
    reception = await chat.receive(sent)
    assert not reception.refused, answered(reception).body
    (raw,) = reception.raws
    return raw


async def read(chat: WebchatConnector, sent: Request) -> Sequence[Message]:
    return WebchatConnector.parse(await taken(chat, sent), chat.settings)


async def refused(chat: WebchatConnector, sent: Request) -> tuple[int, str]:
    """Status and reason of a request that must not be taken."""
    reception = await chat.receive(sent)
    assert not reception.raws
    assert reception.refused
    answer = answered(reception)
    assert answer.media_type == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    return answer.status, problem["detail"]


def revised(raw: Raw, ordinal: int) -> Raw:
    return Raw(
        key=raw.key,
        body=raw.body,
        media_type=raw.media_type,
        received_at=raw.received_at,
        context=raw.context,
        ordinal=ordinal,
    )
