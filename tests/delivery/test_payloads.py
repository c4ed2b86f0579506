"""What is sent: frozen before the first byte leaves, masked before it is frozen, with notes that outlive a crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from allears.delivery.courier import Courier
from allears.journal.records import DeliveryState
from allears_sdk.errors import ConfigError, InDoubt, RetryLater, Unavailable
from allears_sdk.reference import event_key, ticket_key
from allears_sdk.sink import Certainty, Progress, Ticket
from allears_sdk.testing import Fault, MemorySettings
from tests.delivery.depot import HOOK, Asking, Depot, Scripted
from tests.journal.desk import mail

FAULTS = [Fault.UNREACHABLE, Fault.TOO_MANY, Fault.EXPIRED, Fault.LATE, Fault.LOSE_ANSWER, Fault.GARBAGE]
PERSONAL = "电话13800138000，身份证11010519491231002X，邮箱 wang.xm@example.com，卡号 6222 0212 3456 7894"


@pytest.mark.parametrize("certainty", [Certainty.A, Certainty.B, Certainty.C])
async def test_a_frozen_payload_is_the_same_over_tries_restarts_and_new_settings(
    depot: Depot, certainty: Certainty
) -> None:
    depot.hire(certainty)
    await depot.complain("li")
    for number, fault in enumerate(FAULTS):
        depot.store.faults = [fault]
        await depot.work()
        depot.play.suffix = f"\n# template {number}"
        await depot.crash()
        depot.hire(certainty, mask={"phone", "email"})
        depot.clock.advance(timedelta(minutes=3))
    await depot.run(timedelta(hours=1))
    assert await depot.states() == [DeliveryState.SENT]
    assert len(set(depot.play.payloads)) == 1
    assert len(depot.play.payloads) > 3
    assert len(depot.store.tickets) == 1


async def test_what_the_settings_made_impossible_is_rendered_again_when_they_are_mended(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li")
    depot.play.errors = [ConfigError("there is no field cf_1"), ConfigError("there is no field cf_1")]
    await depot.run(timedelta(minutes=6))
    depot.play.suffix = "\n# cf_2"
    await depot.run(timedelta(minutes=10))
    assert [payload.endswith(b"# cf_2") for payload in depot.play.payloads] == [False, False, True]
    assert await depot.states() == [DeliveryState.SENT]


async def test_what_was_ever_in_doubt_stays_what_it_was(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li")
    depot.play.errors = [InDoubt(), ConfigError("there is no field cf_1")]
    await depot.run(timedelta(minutes=2))
    depot.play.suffix = "\n# cf_2"
    await depot.run(timedelta(minutes=10))
    assert len(set(depot.play.payloads)) == 1
    assert await depot.states() == [DeliveryState.SENT]


@pytest.mark.parametrize("error", [Unavailable(), RetryLater(), InDoubt()])
async def test_masks_are_in_what_is_frozen(depot: Depot, error: Exception) -> None:
    depot.hire(mask={"phone", "id_card", "email", "bank_card"})
    depot.play.errors.append(error)
    await depot.complain("li", text=PERSONAL)
    await depot.run(timedelta(hours=1))
    assert len(depot.play.payloads) == 2
    on_disk = str(depot.desk.rows("SELECT payload FROM deliveries WHERE destination=?", HOOK))
    for seen in (*(payload.decode() for payload in depot.play.payloads), on_disk):
        assert not [bare for bare in ("13800138000", "11010519491231002X", "wang.xm@", "2345678") if bare in seen]
    assert "138****8000" in depot.play.payloads[0].decode()


async def test_unmasked_destinations_beside_it_get_it_whole(depot: Depot) -> None:
    depot.hire(mask={"phone"})
    depot.hire(name="jsonl")
    await depot.complain("li", text=PERSONAL)
    await depot.work()
    assert ["13800138000" in payload.decode() for payload in depot.play.payloads] == [False, True]


async def test_a_rejected_payload_is_rendered_afresh_when_replayed(depot: Depot) -> None:
    depot.hire()
    await depot.complain("li")
    depot.store.faults = [Fault.REJECT]
    await depot.work()
    (letter,) = await depot.desk.letters()
    depot.play.suffix = "\n# with the field the store wants"
    await depot.desk.journal.replay_letter(letter.id)
    await depot.work()
    assert depot.play.payloads[1].endswith(b"wants")


class OneShot(Scripted):
    """A store whose tickets need a contact, which can be made but not found again."""

    contacts: list[str]

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        self.play.notes.append(dict(progress.note))
        contact = progress.note.get("contact")
        if contact is None:
            contact = f"contact-{len(self.contacts) + 1}"
            await progress.save({"contact": contact, "step": {"名": "王小明"}})
            self.contacts.append(contact)
        if self.play.errors:
            raise self.play.errors.pop(0)
        return Ticket(id=self.store.perform("open", key, lambda: self._create(key, payload)))


def one_shot(depot: Depot, contacts: list[str]) -> None:
    settings: MemorySettings = Asking(sink="memory")
    sink = depot.sink(settings=settings)
    made: Any = type("OneShotSink", (OneShot,), {"spec": sink.spec, "play": depot.play, "contacts": contacts})
    depot.couriers[HOOK] = Courier(
        HOOK, depot.desk.journal, depot.clock, made(sink.context, depot.store, settings), settings, restored=False
    )


@pytest.mark.parametrize("error", [Unavailable(), InDoubt(), RuntimeError("died")])
@pytest.mark.parametrize("dies", [False, True])
async def test_progress_is_on_disk_before_the_step_and_comes_back(depot: Depot, error: Exception, dies: bool) -> None:
    contacts: list[str] = []
    one_shot(depot, contacts)
    await depot.complain("li")
    depot.play.errors.append(error)
    await depot.work()
    note: Mapping[str, Any] = {"contact": "contact-1", "step": {"名": "王小明"}}
    assert [bool(row[0]) for row in depot.desk.rows("SELECT progress LIKE '%contact-1%' FROM deliveries")].count(True)
    if dies:
        await depot.crash()
        one_shot(depot, contacts)
    await depot.run(timedelta(hours=1))
    assert contacts == ["contact-1"]
    assert depot.play.notes == [{}, note]
    assert await depot.states() == [DeliveryState.SENT]


@pytest.mark.parametrize("order", [("root", "reply"), ("reply", "root")])
async def test_a_stream_knows_each_event_by_one_key_whichever_is_read_first(
    depot: Depot, order: tuple[str, ...]
) -> None:
    """After a restore a long back-fill may read a reply before what it answers: it opens then, and is known still."""
    mails = {"root": mail("root"), "reply": mail("reply", subject="Re: 屏幕碎了", thread=("root",))}
    depot.hire(is_stream=True)
    for name in order:
        await depot.desk.hear("mail", name, mails[name])
        await depot.run()
    events = depot.desk.rows("SELECT id, complaint_id FROM events ORDER BY sequence")
    keys = {event_key(ticket_key(complaint, HOOK), event) for event, complaint in events}
    assert {key for _, key in depot.store.calls} == keys
    assert len(keys) == 2
