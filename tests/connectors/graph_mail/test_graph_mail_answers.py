"""Answers through Microsoft Graph: sent once, as the mail they are."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, RetryLater, Void
from connectors.graph_mail import GraphMailConnector
from tests.connectors.answers.postbox import parsed
from tests.connectors.answers.test_answers_sent import TEXT, address
from tests.connectors.graph_mail.conftest import make_settings
from tests.connectors.graph_mail.graph import MAILBOX, Graph, error

Connect = Callable[..., GraphMailConnector]


async def test_an_answer_is_the_same_mail_as_anywhere(graph: Graph, connect: Connect) -> None:
    await connect(acknowledge={}, sender_name="示例客服").reply(address(), TEXT, "key")
    (mail,) = [parsed(content) for content in graph.sent]
    assert (mail["From"], mail["To"]) == (f"示例客服 <{MAILBOX}>", "wangfang@mail.example.cn")
    assert mail["In-Reply-To"] == "<20260301.7@mail.example.cn>"
    assert mail["Precedence"] == "bulk", "bounces come to the mailbox"
    assert mail.get_content().splitlines() == TEXT.splitlines()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(429, "ApplicationThrottled", headers={"Retry-After": "7"}), RetryLater),
        (error(503, "serviceNotAvailable"), RetryLater),
        (error(500, "ErrorInternalServerError"), InDoubt),
        (httpx.Response(504), InDoubt),
        (error(403, "ErrorAccessDenied"), ConfigError),
        (error(400, "ErrorInvalidRecipients"), Rejected),
    ],
    ids=lambda one: getattr(one, "status_code", None),
)
async def test_what_graph_says(
    graph: Graph, connect: Connect, answer: httpx.Response, kind: type[AllearsError]
) -> None:
    graph.fail("sendMail", answer)
    with pytest.raises(kind):
        await connect(acknowledge={}).reply(address(), TEXT, "key")
    assert graph.called("sendMail") == 1, "never asked twice"
    assert graph.sent == []


async def test_an_expired_token_sent_nothing(graph: Graph, connect: Connect) -> None:
    connector = connect(acknowledge={})
    await connector.check()
    graph.good_tokens = set()
    await connector.reply(address(), TEXT, "key")
    assert len(graph.sent) == 1


async def test_nobody_answers_himself(graph: Graph, connect: Connect) -> None:
    with pytest.raises(Void):
        await connect(acknowledge={}).reply(address(MAILBOX.upper()), TEXT, "key")


def test_only_who_answers_asks_for_the_permission() -> None:
    plain, answering = make_settings(), make_settings(acknowledge={})
    assert not any("Mail.Send" in scope for scope in plain.scopes)
    assert {scope.rpartition("/")[2] for scope in answering.scopes} >= {
        "Mail.ReadWrite",
        "Mail.Send",
        "Mail.Send.Shared",
    }
