"""What ticket stores tell: the newest counts, whatever the order it comes in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allears.journal.records import TicketRow
from allears_sdk.sink import Ticket, TicketChange, TicketStatus
from tests.journal.desk import Desk, mail


class Store:
    """The ticket 4711 of one complaint, and what is told of it, minutes after it was opened."""

    def __init__(self, desk: Desk, reference: str) -> None:
        self.desk = desk
        self.reference = reference
        self.opened = desk.clock.now()

    def at(self, minutes: float) -> datetime:
        return self.opened + timedelta(minutes=minutes)

    async def tell(self, minutes: float, ticket: str = "4711", destination: str = "hook", **facts: Any) -> int:
        change = TicketChange(ticket=ticket, at=self.at(minutes), **facts)
        return await self.desk.journal.note_tickets(destination, [change])

    async def row(self) -> TicketRow:
        file = await self.desk.journal.complaint(self.reference)
        assert file is not None
        (row,) = file.tickets
        return row


async def opened(desk: Desk) -> Store:
    reference = await desk.hear("mail", "li-0", mail("li-0"))
    (due,) = await desk.due("hook")
    await desk.freeze(due)
    outcome = desk.outcome(due, due.state.SENT, ticket=Ticket(id="4711", url="https://desk.example.com/4711"))
    await desk.journal.note_outcomes("hook", [outcome])
    return Store(desk, reference)


async def test_status_handler_first_answer_and_end_are_kept(desk: Desk) -> None:
    store = await opened(desk)
    assert await store.tell(5, handler="王客服", status=TicketStatus.OPEN, store_status="In Bearbeitung") == 1
    assert await store.tell(7, answered=True) == 1
    assert await store.tell(9, answered=True, status=TicketStatus.SOLVED) == 1
    assert await store.tell(11, status=TicketStatus.CLOSED) == 1
    row = await store.row()
    assert (row.status, row.handler, row.ticket_url) == ("closed", "王客服", "https://desk.example.com/4711")
    assert (row.answered_at, row.solved_at, row.changed_at) == (store.at(7), store.at(9), store.at(11))
    file = await desk.journal.complaint(store.reference)
    assert file is not None
    assert file.record.handler == "王客服", "受理人 of the record"


async def test_what_comes_late_or_again_changes_nothing(desk: Desk) -> None:
    store = await opened(desk)
    await store.tell(20, status=TicketStatus.SOLVED, handler="amy")
    before = await store.row()
    await store.tell(10, status=TicketStatus.OPEN, handler="王客服")
    await store.tell(20, status=TicketStatus.SOLVED, handler="amy")
    assert await store.row() == before
    await store.tell(12, answered=True)
    assert (await store.row()).answered_at == store.at(12), "an answer heard of late was an answer"


async def test_a_ticket_that_is_opened_again_is_not_solved(desk: Desk) -> None:
    store = await opened(desk)
    await store.tell(5, status=TicketStatus.SOLVED)
    await store.tell(6, status=TicketStatus.OPEN)
    assert (await store.row()).solved_at is None
    await store.tell(7, handler="")
    assert (await store.row()).handler == ""


async def test_tickets_that_are_not_ours_are_nobodys(desk: Desk) -> None:
    store = await opened(desk)
    assert await store.tell(5, ticket="4712", status=TicketStatus.OPEN) == 0
    assert await store.tell(5, destination="jsonl", status=TicketStatus.OPEN) == 0
    file = await desk.journal.complaint(store.reference)
    assert file is not None
    assert not file.tickets
