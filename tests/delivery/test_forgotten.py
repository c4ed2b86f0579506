"""A customer is forgotten while couriers are about: what was not begun is not sent, what is in doubt only looked up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allears.journal import oblivion
from allears.journal.records import DeliveryState
from allears_sdk.complaint import Event
from allears_sdk.errors import InDoubt
from allears_sdk.sink import Certainty
from allears_sdk.testing.memory import Fault
from tests.delivery.depot import HOOK, Depot, Scripted
from tests.journal.desk import AMY, LI, mail
from tests.journal.test_forgetting import found, go_on, traces

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("batches", [False, True])
async def test_forgotten_between_taking_and_sending(depot: Depot, batches: bool) -> None:
    theirs = await depot.desk.hear("mail", "k1", mail("k1"))
    await depot.desk.hear("mail", "k2", mail("amy", AMY))
    plan = found(depot.desk, LI).plan

    class Late(Scripted):
        def render(self, event: Event, key: str) -> bytes:
            if event.complaint_id == theirs and not oblivion.past(depot.desk.folder):
                oblivion.begin(depot.desk.folder, plan, "test", 1.0)
            return super().render(event, key)

    depot.hire(Certainty.B, batches=batches, base=Late)
    await depot.run(timedelta(hours=1))
    assert list(depot.told().values()) == [[("amy~digest",)]]
    assert go_on(depot.desk) == 0
    assert traces(depot.desk.folder, [LI]) == []


@pytest.mark.parametrize("certainty", list(Certainty))
@pytest.mark.parametrize("arrived", [False, True])
async def test_forgotten_in_doubt(depot: Depot, certainty: Certainty, arrived: bool) -> None:
    await depot.desk.hear("mail", "k1", mail("k1"))
    depot.hire(certainty)
    if arrived:
        depot.store.faults.append(Fault.LOSE_ANSWER)
    else:
        depot.play.errors.append(InDoubt())
    await depot.work()
    assert (await depot.states()) == [DeliveryState.DOUBT]
    oblivion.begin(depot.desk.folder, found(depot.desk, LI).plan, "test", 1.0)
    assert go_on(depot.desk) == 1
    calls = len(depot.play.payloads)
    await depot.run(timedelta(hours=1))
    assert len(depot.play.payloads) == calls, "nothing is sent again"
    assert go_on(depot.desk) == 0
    ((place, ticket),) = oblivion.past(depot.desk.folder)[0].tickets
    assert place == HOOK
    assert ticket.endswith("?") is not (arrived and certainty in (Certainty.B, Certainty.C))
    assert traces(depot.desk.folder, [LI]) == []
