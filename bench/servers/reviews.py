"""A week's reviews of an app as Google Play gives them, in pages of 100, each made beforehand: what it costs to make
them is not the reader's time. Tokens are given to whoever asks.

python -m bench.servers.reviews PORT COUNT
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

from aiohttp import web

from bench.derive import chats

APP = "com.example.shop"
PAGE = 100
AGE_SECONDS = 86_400
"""From the newest to the oldest."""
PRAISE = ("很好用，推荐", "Works well, thank you", "五星好评👍", "Nice app", "一般般吧")
JSON = {"Content-Type": "application/json; charset=UTF-8"}


class Reviews:
    def __init__(self, count: int) -> None:
        self.requests = 0
        self._pages = _pages(count)

    async def token(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"access_token": "ya29.bench", "expires_in": 3599, "token_type": "Bearer"})

    async def page(self, request: web.Request) -> web.Response:
        self.requests += 1
        return web.Response(body=self._pages[int(request.query.get("token") or 0)], headers=JSON)


def _pages(count: int) -> list[bytes]:
    rng, now = random.Random(7), int(time.time()) - 60
    told = list(islice(chats(rng), count))
    rows = [_review(number, told[number], rng, now - number * AGE_SECONDS // count) for number in range(count)]
    starts = range(0, count, PAGE)
    return [
        _page(rows[start : start + PAGE], "" if start == starts[-1] else str(start // PAGE + 1)) for start in starts
    ]


def _page(rows: list[dict[str, Any]], following: str) -> bytes:
    more: Mapping[str, Any] = {"tokenPagination": {"nextPageToken": following}} if following else {}
    return json.dumps({"reviews": rows, **more}, ensure_ascii=False).encode()


def _review(number: int, complaint: str, rng: random.Random, at: int) -> dict[str, Any]:
    """Every other one is a complaint."""
    is_bad = number % 2 == 0
    said = {
        "text": complaint if is_bad else rng.choice(PRAISE),
        "lastModified": {"seconds": str(at), "nanos": 512_000_000},
        "starRating": rng.randint(1, 2) if is_bad else rng.randint(3, 5),
        "reviewerLanguage": "zh_CN" if rng.random() < 0.5 else "en",
        "device": "demo7",
        "androidOsVersion": 34,
        "appVersionCode": 40201,
        "appVersionName": "4.2.1",
        "thumbsUpCount": rng.randint(0, 9),
        "thumbsDownCount": 0,
        "deviceMetadata": {"productName": "demo7 (Demo 7)", "manufacturer": "Example", "ramMb": 7_500},
    }
    return {"reviewId": f"gp:AOqpTOG-bench-{number:06}", "authorName": "示例用户", "comments": [{"userComment": said}]}


def main() -> None:
    port, count = (int(argument) for argument in sys.argv[1:3])
    reviews = Reviews(count)
    app = web.Application()
    app.router.add_post("/token", reviews.token)
    app.router.add_get(f"/androidpublisher/v3/applications/{APP}/reviews", reviews.page)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
