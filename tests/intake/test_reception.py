"""Receiving: the commit first, the connector's own answer after it, and never a 404 where there was a channel."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from allears.intake.reception import Refused
from allears_sdk.connector import Answer, Hears, Reception, Request, Wake
from allears_sdk.errors import BadMessage
from allears_sdk.signing import BadSignature, check_window
from allears_sdk.testing import FakeClock
from tests.intake.hall import Hall, channel_settings, raw, request, rest, until

RECEIVES = frozenset({Hears.RECEIVE})


async def test_the_answer_is_made_after_the_commit_and_knows_what_was_stored(hall: Hall) -> None:
    stored_when_answering: list[list[str]] = []

    async def receive(request: Request) -> Reception:
        def answer(accepted: object) -> Answer:
            stored_when_answering.append(list(hall.gate.keys))
            return Answer(status=201, body=repr(accepted).encode())

        return Reception(raws=(raw("order-8821", "快递破损"), raw("order-8822")), answer=answer)

    hall.script.hears = RECEIVES
    hall.script.receive = receive
    await hall.open()
    first = await hall.intake.receive("shop", request("{}"))
    again = await hall.intake.receive("shop", request("{}"))
    assert (first.status, again.status) == (201, 201)
    assert stored_when_answering[0] == ["order-8821", "order-8822"]
    assert b"is_new=True" in first.body
    assert b"is_new=True" not in again.body


async def test_a_commit_later_than_the_platform_waits_is_503_and_may_still_complete(hall: Hall) -> None:
    hall.script.hears = RECEIVES
    hall.script.answer_within_seconds = 0.6
    await hall.open()
    hall.gate.open.clear()
    answer = await hall.intake.receive("shop", request("push-1"))
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    hall.gate.open.set()
    assert (await hall.intake.receive("shop", request("push-1"))).status == 200


async def test_an_early_commit_is_not_touched_by_the_deadline_of_others(hall: Hall) -> None:
    hall.script.hears = RECEIVES
    hall.script.answer_within_seconds = 0.6
    await hall.open()
    answers = await asyncio.gather(*(hall.intake.receive("shop", request(f"push-{n}")) for n in range(50)))
    assert {answer.status for answer in answers} == {200}
    hall.gate.open.clear()
    slow = asyncio.create_task(hall.intake.receive("shop", request("slow")))
    await rest()
    hall.gate.open.set()
    assert (await slow).status == 200
    await asyncio.sleep(0.15)
    assert (await hall.intake.receive("shop", request("after"))).status == 200


async def test_being_cancelled_from_outside_is_not_mistaken_for_a_late_commit(hall: Hall) -> None:
    hall.script.hears = RECEIVES
    await hall.open()
    hall.gate.open.clear()
    task = asyncio.create_task(hall.intake.receive("shop", request("push-1")))
    await rest()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_journal_that_cannot_write_keeps_the_message_at_the_sender(hall: Hall) -> None:
    hall.script.hears = RECEIVES
    await hall.open()
    hall.gate.refusals = 1
    answer = await hall.intake.receive("shop", request("push-1"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (await hall.intake.receive("shop", request("push-1"))).status == 200


async def test_a_refused_request_is_counted_and_said_once_a_minute(hall: Hall) -> None:
    async def receive(request: Request) -> Reception:
        return Reception(refused="bad signature", answer=lambda accepted: Answer(status=401))

    hall.script.hears = RECEIVES
    hall.script.receive = receive
    await hall.open()
    for _ in range(5):
        assert (await hall.intake.receive("shop", request("x"))).status == 401
    assert hall.intake.states()["shop"].refused == 5
    assert len(hall.said("request_refused")) == 1
    hall.hands.advance(61)
    await hall.intake.receive("shop", request("x"))
    assert len(hall.said("request_refused")) == 2
    assert hall.gate.keys == []


async def test_what_its_signature_check_raises_is_a_refusal(hall: Hall) -> None:
    async def receive(request: Request) -> Reception:
        raise BadSignature

    hall.script.hears = RECEIVES
    hall.script.receive = receive
    await hall.open()
    answer = await hall.intake.receive("shop", request("forged"))
    assert isinstance(answer, Refused)
    assert (answer.status, answer.body) == (401, b"")
    assert hall.intake.states()["shop"].refused == 1
    assert hall.said("request_refused") == [{"reason": "bad signature"}]
    assert hall.state() == "running"


async def test_three_good_signatures_outside_the_window_in_a_row_alarm_about_the_clock(hall: Hall) -> None:
    async def receive(request: Request) -> Reception:
        if request.body == b"forged":
            raise BadSignature
        if request.body.startswith(b"late"):
            check_window(FakeClock().now() - timedelta(hours=8), FakeClock().now())
        return Reception(raws=(raw(request.body.decode()),))

    async def send(*bodies: str) -> list[int]:
        return [(await hall.intake.receive("shop", request(body))).status for body in bodies]

    hall.script.hears = RECEIVES
    hall.script.receive = receive
    await hall.open()
    assert await send("late-1", "late-2", "good-1", "late-3", "forged", "late-4") == [401, 401, 200, 401, 401, 401]
    assert hall.state() == "running", "replays come one by one, among what is good"
    await send("late-5")
    assert hall.state() == "failing"
    reason = hall.intake.states()["shop"].reason
    assert "28800 s away from now" in reason
    assert "clock" in reason
    assert len(hall.said("channel_down")) == 1
    await send("late-6", "good-2")
    assert hall.state() == "running"
    assert len(hall.said("channel_up")) == 1
    assert hall.gate.keys == ["good-1", "good-2"]


async def test_a_connector_that_raises_answers_500_and_the_next_request_is_served(hall: Hall) -> None:
    async def receive(request: Request) -> Reception:
        if request.body == b"poison":
            raise BadMessage("no text in it")
        return Reception(raws=(raw(request.body.decode()),))

    hall.script.hears = RECEIVES
    hall.script.receive = receive
    await hall.open()
    assert (await hall.intake.receive("shop", request("poison"))).status == 500
    assert (await hall.intake.receive("shop", request("good"))).status == 200
    assert hall.said("receiver_failed")[0]["reason"] == "no text in it"


async def test_a_callback_that_is_only_a_signal_wakes_its_stream(hall: Hall) -> None:
    async def receive(request: Request) -> Reception:
        return Reception(wakes=(Wake(stream="wkABC", hint={"token": "ENCApHx"}),))

    hall.script.hears = frozenset({Hears.RECEIVE, Hears.POLL})
    hall.script.streams = ("wkABC",)
    hall.script.receive = receive
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    assert (await hall.intake.receive("shop", request("<xml/>"))).status == 200
    await until(lambda: len(hall.script.polls) == 2)
    assert hall.script.polls[1][2] == {"token": "ENCApHx"}


async def test_what_once_was_a_channel_answers_503_and_a_stranger_404(hall: Hall) -> None:
    hall.script.hears = RECEIVES
    await hall.open()
    await hall.stored_state()
    await hall.intake.apply({})
    assert (await hall.intake.receive("shop", request("x"))).status == 503
    await hall.intake.stop(1)
    hall.intake = hall.make_intake()
    await hall.intake.start()
    await hall.intake.apply({"mall": channel_settings(enabled=False)})
    assert (await hall.intake.receive("shop", request("x"))).status == 503
    assert (await hall.intake.receive("mall", request("x"))).status == 503
    assert (await hall.intake.receive("admin.php", request("x"))).status == 404
