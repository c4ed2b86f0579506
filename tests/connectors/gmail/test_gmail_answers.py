"""Answers through the Gmail API: sent once, as the mail they are."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from allears_sdk.errors import AllearsError, InDoubt, Rejected, RetryLater, Void
from connectors.gmail import GmailConnector
from tests.connectors.answers.postbox import parsed
from tests.connectors.answers.test_answers_sent import TEXT, address
from tests.connectors.gmail.conftest import make_settings
from tests.connectors.gmail.google import ACCOUNT, Google, error

Connect = Callable[..., GmailConnector]
SEND = "messages/send"


async def test_an_answer_is_the_same_mail_as_anywhere(google: Google, connect: Connect) -> None:
    await connect(acknowledge={}, sender_name="示例客服").reply(address(), TEXT, "key")
    (mail,) = [parsed(content) for content in google.sent]
    assert (mail["From"], mail["To"]) == (f"示例客服 <{ACCOUNT}>", "wangfang@mail.example.cn")
    assert mail["In-Reply-To"] == "<20260301.7@mail.example.cn>"
    assert mail.get_content().splitlines() == TEXT.splitlines()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(429, "rateLimitExceeded"), RetryLater),
        (error(403, "userRateLimitExceeded"), RetryLater),
        (error(500, "backendError"), InDoubt),
        (httpx.Response(502), InDoubt),
        (error(400, "invalidArgument", "Invalid To header"), Rejected),
    ],
    ids=lambda one: getattr(one, "status_code", None),
)
async def test_what_gmail_says(
    google: Google, connect: Connect, answer: httpx.Response, kind: type[AllearsError]
) -> None:
    google.fail(SEND, answer)
    with pytest.raises(kind):
        await connect(acknowledge={}).reply(address(), TEXT, "key")
    assert google.called(SEND) == 1, "never asked twice"
    assert google.sent == []


async def test_an_expired_token_sent_nothing(google: Google, connect: Connect) -> None:
    connector = connect(acknowledge={})
    await connector.check()
    google.good_tokens = set()
    await connector.reply(address(), TEXT, "key")
    assert len(google.sent) == 1


async def test_nobody_answers_himself(connect: Connect) -> None:
    with pytest.raises(Void):
        await connect(acknowledge={}).reply(address(ACCOUNT.upper()), TEXT, "key")


def test_only_who_answers_asks_for_the_permission() -> None:
    assert [scope.rpartition("/")[2] for scope in make_settings(after="nothing").scopes] == ["gmail.readonly"]
    answering = make_settings(after="nothing", acknowledge={})
    assert [scope.rpartition("/")[2] for scope in answering.scopes] == ["gmail.readonly", "gmail.send"]
    assert [scope.rpartition("/")[2] for scope in make_settings(acknowledge={}).scopes] == ["gmail.modify"]
