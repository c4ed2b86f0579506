"""What is asked of the Graph API: files, answers, and who we are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from allears_sdk.connector import Address, Media
from allears_sdk.context import Context
from allears_sdk.errors import AllearsError, AuthError, ConfigError, InDoubt, Rejected, RetryLater, Unavailable, Void
from allears_sdk.message import Author, Ref
from allears_sdk.testing.clock import START, FakeClock
from allears_sdk.testing.journal import MiniJournal, hear
from tests.connectors._meta.graph_server import SECRET, TOKEN, Graph, fault
from tests.connectors.whatsapp.conftest import ACCOUNT, NUMBER_ID, PHONE, USER_ID, Connect

REF = Ref(locator={"media": "1003383421387256", "name": "image.jpg"})
NUMBER = {
    "id": NUMBER_ID,
    "display_phone_number": "+86 755 1234 5678",
    "verified_name": "示例商城",
    "quality_rating": "GREEN",
}


def make_address(**fields: Any) -> Address:
    known: dict[str, Any] = {
        "to": Author(id=USER_ID, name="李雷", phone=f"+{PHONE}"),
        "message": "wamid.FIRST",
        "thread": (f"{NUMBER_ID}/{PHONE}", f"{NUMBER_ID}/{USER_ID}"),
        "said_at": START - timedelta(hours=1),
        "reference": "ALE-7K3M-Q9TX-4RWD",
        "at": START,
    }
    return Address(**known | fields)


def put_file(graph: Graph, **fields: Any) -> None:
    graph.files["m-1"] = b"\xff\xd8jpeg"
    address = {"url": f"{graph.url}/files/m-1", "mime_type": "image/jpeg", "file_size": 6, "id": "1003383421387256"}
    graph.objects["1003383421387256"] = address | fields


async def test_a_file(connect: Connect, graph: Graph) -> None:
    put_file(graph)
    assert await connect().fetch(REF) == Media(content=b"\xff\xd8jpeg", media_type="image/jpeg", name="image.jpg")


async def test_a_file_that_is_too_large_is_not_even_asked_for(connect: Connect, graph: Graph) -> None:
    put_file(graph, file_size=99_000_000)
    with pytest.raises(Rejected, match=r"99\.0 MB"):
        await connect().fetch(REF)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://169.254.169.254/latest", 7])
async def test_the_token_goes_to_meta_alone(connect: Connect, graph: Graph, url: object) -> None:
    put_file(graph, url=url)
    with pytest.raises(Rejected):
        await connect().fetch(REF)


async def test_an_answer(connect: Connect, graph: Graph) -> None:
    await connect().reply(make_address(), "已收到，编号 ALE-7K3M-Q9TX-4RWD", "k1")
    assert graph.posted == [
        (
            f"{NUMBER_ID}/messages",
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": PHONE,
                "type": "text",
                "text": {"body": "已收到，编号 ALE-7K3M-Q9TX-4RWD", "preview_url": False},
                "context": {"message_id": "wamid.FIRST"},
            },
        )
    ]


async def test_an_answer_to_who_hides_the_number(connect: Connect, graph: Graph) -> None:
    address = make_address(to=Author(id=USER_ID), thread=(f"{NUMBER_ID}/{USER_ID}",))
    await connect().reply(address, "Got it", "k1")
    body = graph.posted[0][1]
    assert ("to" in body, body["recipient"]) == (False, USER_ID)


async def test_after_a_day_nobody_is_answered(connect: Connect, graph: Graph, clock: FakeClock) -> None:
    clock.advance(timedelta(hours=23))
    with pytest.raises(Void, match="24 hours"):
        await connect().reply(make_address(), "too late", "k1")
    with pytest.raises(Void):
        await connect().reply(make_address(thread=()), "to nobody", "k1")
    assert not graph.posted


async def test_an_answer_whose_answer_is_lost_is_in_doubt(connect: Connect, graph: Graph) -> None:
    graph.lost_answers = 1
    with pytest.raises(InDoubt):
        await connect().reply(make_address(), "已收到", "k1")
    assert len(graph.posted) == 1


USED_UP = '{"102290129340398":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":7}]}'


@pytest.mark.parametrize(
    ("answer", "error", "after_seconds"),
    [
        ((190, "Error validating access token", 463), AuthError, None),
        ((0, "We were unable to authenticate the app user", 0), AuthError, None),
        ((10, "Application does not have permission for this action", 0), ConfigError, None),
        ((200, "You do not have permission", 0), ConfigError, None),
        ((131_042, "Business eligibility payment issue", 0), ConfigError, None),
        ((131_047, "Re-engagement message", 0), Void, None),
        ((131_026, "Message undeliverable", 0), Rejected, None),
        ((100, "Invalid parameter", 0), Rejected, None),
        ((130_429, "Rate limit hit", 0), RetryLater, None),
        ((131_056, "Pair rate limit hit", 0), RetryLater, None),
        ((80_007, "Rate limit issues", 0), RetryLater, 420.0),
        ((368, "Temporarily blocked for policies violations", 0), RetryLater, 21_600.0),
        ((131_000, "Something went wrong", 0), InDoubt, None),
    ],
)
async def test_what_meta_says_when_it_refuses(
    connect: Connect, graph: Graph, answer: tuple[int, str, int], error: type[AllearsError], after_seconds: float | None
) -> None:
    code, said, subcode = answer
    headers = {"X-Business-Use-Case-Usage": USED_UP} if after_seconds == 420 else {}
    graph.faults.append(fault(code, said, subcode=subcode, headers=headers))
    with pytest.raises(error) as caught:
        await connect().reply(make_address(), "已收到", "k1")
    assert getattr(caught.value, "after_seconds", None) == after_seconds


async def test_a_file_that_meta_cannot_give_now_is_asked_for_again(connect: Connect, graph: Graph) -> None:
    graph.faults += [fault(131_052, "Media download error") for _ in range(3)]
    with pytest.raises(Unavailable):
        await connect().fetch(REF)


async def test_a_token_never_stands_in_an_error(connect: Connect, graph: Graph) -> None:
    graph.token = "another"
    with pytest.raises(AuthError) as caught:
        await connect().fetch(REF)
    assert "Malformed access token …" in caught.value.detail
    assert TOKEN not in f"{caught.value} {caught.value.detail}"


async def test_calls_are_signed_where_the_app_asks_for_it(connect: Connect, graph: Graph) -> None:
    put_file(graph)
    await connect(send_proof=True, access_token=TOKEN).fetch(REF)
    assert len(graph.asked[0][1]["appsecret_proof"]) == 64
    await connect().fetch(REF)
    assert "appsecret_proof" not in graph.asked[1][1]
    assert SECRET not in str(graph.asked)


async def test_check_says_which_numbers_there_are(connect: Connect, graph: Graph) -> None:
    graph.lists[f"{ACCOUNT}/phone_numbers"] = [NUMBER]
    graph.lists[f"{ACCOUNT}/subscribed_apps"] = [{"whatsapp_business_api_data": {"name": "allears"}}]
    found = await connect(business_account_id=ACCOUNT, phone_number_ids=[NUMBER_ID]).check()
    assert found.account == f"+86 755 1234 5678 示例商城 ({NUMBER_ID})"
    assert list(found.details) == ["deliveries are subscribed to"]


async def test_check_says_what_is_missing(connect: Connect, graph: Graph) -> None:
    graph.lists[f"{ACCOUNT}/phone_numbers"] = [NUMBER]
    with pytest.raises(ConfigError, match="777: not among"):
        await connect(business_account_id=ACCOUNT, phone_number_ids=["777"]).check()
    graph.lists[f"{ACCOUNT}/subscribed_apps"] = []
    with pytest.raises(ConfigError, match="no app is subscribed"):
        await connect(business_account_id=ACCOUNT).check()
    assert "no access_token" in (await connect(access_token=None).check()).details[0]
    with pytest.raises(ConfigError, match="access_token is not set"):
        await connect(access_token=None).fetch(REF)


async def test_check_asks_for_the_numbers_of_the_settings(connect: Connect, graph: Graph) -> None:
    graph.objects[NUMBER_ID] = NUMBER
    assert "示例商城" in (await connect(phone_number_ids=[NUMBER_ID]).check()).account


async def test_the_end_of_the_token_is_known(
    graph: Graph, connect: Connect, context: Context, journal: MiniJournal, clock: FakeClock
) -> None:
    end = clock.now().replace(microsecond=0) + timedelta(days=60)
    graph.objects["debug_token"] = {"data": {"is_valid": True, "expires_at": int(end.timestamp())}}
    await hear(connect(), journal)
    assert [(one.name, one.expires_at) for one in context.accounts.credentials] == [("access_token", end)]
