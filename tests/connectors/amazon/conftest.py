"""Amazon in small: reports that are ordered, made and given away by links; topics of a product's reviews."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from allears_sdk.context import Context
from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock
from allears_sdk.testing.clock import START
from connectors.amazon import AmazonConnector, AmazonSettings
from tests.connectors._mail.hosted import answered_by, make_remote

SELLER, ASIN, US = "A2EXAMPLE00001", "B0EXAMPLE1", "ATVPDKIKX0DER"
CLIENT, SECRET, REFRESH = "amzn1.application-oa2-client.7f3a", "amzn1.oa2-cs.v1.5c1e9d", "Atzr|IwEB-7f3a9c-refresh"
ENGLISH = ("Date", "Rating", "Comments", "Response", "Order ID", "Rater Email")

Connect = Callable[..., AmazonConnector]
Item = dict[str, Any]


class Amazon:
    """Feedback by order. `faults` are answered first, one to a request; `statuses` to looks at a report."""

    def __init__(self) -> None:
        self.feedback: dict[str, tuple[datetime, list[str]]] = {}
        self.topics: Any = {"asin": ASIN, "itemName": "Example Kettle 1.7 l", "topics": {"negativeTopics": []}}
        self.titles: tuple[str, ...] = ENGLISH
        self.encoding, self.content_type = "utf-8", "text/plain; charset=UTF-8"
        self.is_packed = True
        self.faults: list[httpx.Response] = []
        self.statuses: list[str] = []
        self.asked: list[httpx.Request] = []
        self.ordered: list[Item] = []
        self.tokens = 0

    def write(self, number: int, text: str, *, stars: Any = 1, age: timedelta = timedelta(hours=1), **more: Any) -> str:
        """Written, or changed, on an order."""
        at = START - age
        order = str(more.get("order", f"113-{number:07}-7654321"))
        date = more.get("date", f"{at.month}/{at.day}/{at:%y}")
        cells = [date, str(stars), text, more.get("response", ""), order, f"buyer{number}@marketplace.amazon.com"]
        self.feedback[order] = (more.get("at", at), cells)
        return order

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/o2/token":
            return self._token(parse_qs(request.content.decode()))
        if request.url.path.startswith("/link/"):
            return self._document(request.url.path.removeprefix("/link/"))
        self.asked.append(request)
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("x-amz-access-token") != f"Atza|{self.tokens:06}":
            return refusal(403, "Unauthorized", "The access token you provided has expired.")
        assert re.fullmatch(r"\d{8}T\d{6}Z", request.headers["x-amz-date"])
        return self._call(request, request.url.path)

    def _call(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/reports/2021-06-30/reports":
            return self._order(json.loads(request.content)) if request.method == "POST" else well({"reports": []})
        if path.startswith("/reports/2021-06-30/reports/"):
            return self._look(path.rpartition("/")[2])
        if path.startswith("/reports/2021-06-30/documents/"):
            link = str(request.url.copy_with(path=f"/link/{path.rpartition('/')[2]}", query=None))
            return well({"url": link, **({"compressionAlgorithm": "GZIP"} if self.is_packed else {})})
        assert path == f"/customerFeedback/2024-06-01/items/{ASIN}/reviews/topics"
        assert dict(request.url.params) == {"marketplaceId": US, "sortBy": "MENTIONS"}
        return well(self.topics)

    def _token(self, form: dict[str, list[str]]) -> httpx.Response:
        wanted = {"grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": CLIENT, "client_secret": SECRET}
        if {name: value[0] for name, value in form.items()} != wanted:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "not valid"})
        self.tokens += 1
        return well({"access_token": f"Atza|{self.tokens:06}", "token_type": "bearer", "expires_in": 3600})

    def _order(self, wanted: Item) -> httpx.Response:
        assert wanted["reportType"] == "GET_SELLER_FEEDBACK_DATA"
        self.ordered.append(wanted)
        return httpx.Response(202, json={"reportId": f"5029{len(self.ordered)}"})

    def _look(self, report: str) -> httpx.Response:
        status = self.statuses.pop(0) if self.statuses else "DONE"
        done = {"reportDocumentId": f"amzn1.spdoc.1.4.na.{report}"} if status == "DONE" else {}
        return well({"reportId": report, "processingStatus": status, **done})

    def _document(self, name: str) -> httpx.Response:
        wanted = self.ordered[int(name.rpartition("5029")[2]) - 1]
        since, until = (read_moment(wanted[bound]) for bound in ("dataStartTime", "dataEndTime"))
        rows = [cells for at, cells in self.feedback.values() if since <= at <= until]
        text = "\n".join("\t".join(row) for row in [list(self.titles), *rows]) + "\n"
        content = text.encode(self.encoding)
        packed = gzip.compress(content) if self.is_packed else content
        return httpx.Response(200, content=packed, headers={"content-type": self.content_type})


def read_moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def well(data: Any) -> httpx.Response:
    return httpx.Response(200, json=data)


def refusal(status: int, code: str, details: str = "", **headers: str) -> httpx.Response:
    errors = {"errors": [{"code": code, "message": "Access to requested resource is denied.", "details": details}]}
    return httpx.Response(status, json=errors, headers=headers)


def make_settings(**more: Any) -> AmazonSettings:
    known = {"seller": SELLER, "marketplaces": ["US"], "client_id": CLIENT}
    return AmazonSettings.model_validate(known | {"client_secret": SECRET, "refresh_token": REFRESH} | more)


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    amazon = Amazon()
    with answered_by(amazon.answer):
        yield amazon


@pytest.fixture
def remote(clock: FakeClock) -> Remote:
    return make_remote(clock)


@pytest.fixture
def connect(context: Context, amazon: Amazon) -> Connect:
    return lambda **settings: AmazonConnector(make_settings(**settings), context)
