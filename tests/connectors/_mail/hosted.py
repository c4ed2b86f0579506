"""A hosted API in miniature: every request of httpx is answered by a function, through respx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import respx

from allears_sdk.remote import Remote
from allears_sdk.testing import FakeClock


@contextmanager
def answered_by(answer: Callable[[httpx.Request], httpx.Response]) -> Iterator[None]:
    with respx.mock(using="httpx", assert_all_called=False) as router:
        router.route().mock(side_effect=answer)
        yield


def make_remote(clock: FakeClock) -> Remote:
    """On the one transport that respx sees."""
    return Remote(clock=clock, sleep=clock.sleep, transport=httpx.AsyncHTTPTransport)
