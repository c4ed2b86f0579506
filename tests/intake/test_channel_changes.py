"""Pausing, resuming and reloading: only what changed is touched, and nothing is forgotten over a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from allears.intake.intake import Intake
from allears_sdk.connector import Batch, Cursor, Hears
from allears_sdk.errors import AuthError, ConfigError, Unavailable
from allears_sdk.settings import ChannelSettings
from tests.intake.hall import Hall, channel_settings, page, request, rest, until


async def test_a_paused_channel_polls_no_more_but_stores_what_is_pushed(hall: Hall) -> None:
    hall.script.hears = frozenset({Hears.POLL, Hears.RECEIVE})
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    await hall.intake.pause("shop")
    hall.hands.tick()
    await rest()
    assert len(hall.script.polls) == 1
    assert (await hall.intake.receive("shop", request("push-1"))).status == 200
    assert hall.gate.keys == ["push-1"]
    assert hall.state() == await hall.stored_state() == "paused"


async def test_it_stays_paused_over_a_restart(hall: Hall) -> None:
    await hall.open()
    await hall.intake.pause("shop")
    await hall.intake.stop(1)
    hall.intake = hall.make_intake()
    before = len(hall.script.polls)
    await hall.open()
    await rest()
    assert hall.state() == "paused"
    assert len(hall.script.polls) == before
    assert await hall.stored_state() == "paused"
    await hall.intake.resume("shop")
    await until(lambda: len(hall.script.polls) == before + 1)
    assert await hall.stored_state() == "running"


async def test_another_process_pauses_and_resumes_through_the_journal(hall: Hall) -> None:
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    assert await hall.stored_state() == "running"
    await hall.gate.order_channel("shop", connector="scripted", state="paused")
    await hall.intake.poke()
    await until(lambda: hall.state() == "paused")
    assert await hall.stored_state() == "paused"
    await hall.gate.order_channel("shop", connector="scripted", state="new")
    await hall.intake.poke()
    await until(lambda: len(hall.script.polls) == 2)
    assert await hall.stored_state() == "running"


async def test_an_order_in_the_journal_goes_before_a_note_of_ours(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if len(hall.script.polls) > 1:
            raise Unavailable
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    assert await hall.stored_state() == "running"
    await hall.gate.order_channel("shop", connector="scripted", state="paused")
    hall.hands.tick()
    await until(lambda: len(hall.script.polls) == 2)
    assert await hall.stored_state() == "paused"
    await until(lambda: hall.state() == "paused")


async def test_an_order_that_comes_while_a_note_is_written_is_heeded(hall: Hall) -> None:
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    assert await hall.stored_state() == "running"

    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if len(hall.script.polls) == 2:
            raise AuthError("nobody has logged in yet")
        yield Batch()

    hall.script.poll = poll
    hall.hands.tick()
    await until(lambda: hall.state() == "stopped")
    hall.gate.before_note = lambda: hall.gate.order_channel("shop", connector="scripted", state="new")
    assert await hall.stored_state() == "new", "our note goes not over the order"
    await hall.stored_state()
    await until(lambda: len(hall.script.polls) == 3)
    assert await hall.stored_state() == "running"


async def test_an_order_is_heeded_before_the_channel_was_ever_noted(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        if len(hall.script.polls) == 1:
            raise AuthError("nobody has logged in yet")
        yield Batch()

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.state() == "stopped")
    await hall.gate.order_channel("shop", connector="scripted", state="new")
    assert await hall.stored_state() == "new", "our note goes not over the order"
    await until(lambda: len(hall.script.polls) == 2)
    assert await hall.stored_state() == "running"


async def test_an_order_given_twice_is_heeded_twice(hall: Hall) -> None:
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    for polls in (2, 3):
        await hall.gate.order_channel("shop", connector="scripted", state="new")
        await hall.intake.poke()
        await until(lambda wanted=polls: len(hall.script.polls) == wanted)  # type: ignore[misc]  # a default binds it


async def test_a_reload_touches_only_what_changed(hall: Hall) -> None:
    await hall.open("shop", "mall")
    await until(lambda: len(hall.script.made) == 2)
    slower = channel_settings(interval_seconds=600)
    errors = await hall.intake.apply({"shop": channel_settings(), "mall": slower, "new": channel_settings()})
    assert not errors
    assert hall.script.made[2:] == [slower, channel_settings()]
    assert hall.script.stopped == [channel_settings()]
    await hall.intake.apply({"shop": channel_settings()})
    assert set(hall.intake.states()) == {"shop"}
    assert len(hall.script.made) == 4


async def test_the_new_one_goes_on_from_the_old_ones_cursor(hall: Hall) -> None:
    async def poll(stream: str, cursor: Cursor | None, hint: Mapping[str, Any], limit: int) -> AsyncIterator[Batch]:
        at = cursor["at"] if cursor else 0
        yield page(f"mail-{at + 1}", at=at + 1)

    hall.script.poll = poll
    await hall.open()
    await until(lambda: hall.gate.keys == ["mail-1"])
    await hall.intake.apply({"shop": channel_settings(title="客服邮箱")})
    await until(lambda: hall.gate.keys == ["mail-1", "mail-2"])


async def test_when_the_new_one_cannot_start_the_old_one_stays(hall: Hall) -> None:
    def refuse_slow(settings: ChannelSettings) -> None:
        if settings.interval_seconds > 60:
            raise ConfigError("the server lists no such folder")

    await hall.open("shop", "mall")
    hall.script.on_start = refuse_slow
    errors = await hall.intake.apply(
        {"shop": channel_settings(interval_seconds=600), "mall": channel_settings(title="商城")}
    )
    assert list(errors) == ["shop"]
    assert isinstance(errors["shop"], ConfigError)
    before = len(hall.script.polls)
    hall.hands.tick()
    await until(lambda: len(hall.script.polls) > before + 1)
    assert hall.state("shop") == "running"
    assert len(hall.script.stopped) == 2, "the half-made one and the replaced one"


async def test_a_channel_that_cannot_start_is_shown_stopped_and_started_when_mended(hall: Hall) -> None:
    def refuse(settings: ChannelSettings) -> None:
        raise ConfigError("no such file")

    hall.script.on_start = refuse
    await hall.intake.start()
    assert list(await hall.intake.apply({"shop": channel_settings()})) == ["shop"]
    assert hall.state() == await hall.stored_state() == "stopped"
    assert (await hall.intake.receive("shop", request("push-1"))).status == 503
    hall.script.on_start = lambda settings: None
    assert not await hall.intake.apply({"shop": channel_settings()})
    await until(lambda: len(hall.script.polls) == 1)
    assert await hall.stored_state() == "running"


async def test_a_start_that_fails_for_a_while_is_tried_again(hall: Hall) -> None:
    def refuse(settings: ChannelSettings) -> None:
        if len(hall.script.made) < 3:
            raise Unavailable("name server down")

    hall.script.on_start = refuse
    await hall.intake.start()
    await hall.intake.apply({"shop": channel_settings()})
    for seconds in (1, 2):
        await until(lambda: seconds in hall.hands.naps)  # noqa: B023 - run at once
        hall.hands.advance(seconds)
    await until(lambda: len(hall.script.polls) == 1)
    assert hall.state() == "running"


@pytest.mark.parametrize(("quiet_hours", "zone"), [("25:00-06:00", "UTC"), ("22:00-06:00", "Asia/Peking")])
async def test_times_and_zones_that_do_not_exist_are_errors(hall: Hall, quiet_hours: str, zone: str) -> None:
    await hall.intake.start()
    errors = await hall.intake.apply({"shop": channel_settings(quiet_hours=quiet_hours, timezone=zone)})
    assert isinstance(errors["shop"], ConfigError)


async def test_policies_are_known_for_channels_that_went(hall: Hall) -> None:
    await hall.open("shop", idle_hours=2)
    assert hall.intake.policies()["shop"].idle_seconds == 7200
    await until(lambda: hall.script.polls)
    await hall.stored_state()
    await hall.intake.stop(1)
    hall.intake = hall.make_intake()
    later: Intake = hall.intake
    await later.start()
    assert later.policies()["shop"].threading == "item"
    assert later.connector_class("shop").spec.kind == "scripted"


async def test_trouble_with_files_is_shown_and_holds_up_no_polls(hall: Hall) -> None:
    await hall.open()
    await until(lambda: len(hall.script.polls) == 1)
    hall.intake.note_fetching("shop", "files cannot be fetched: the token may not read them")
    assert hall.state() == "failing"
    assert "may not read them" in hall.intake.states()["shop"].reason
    hall.hands.tick()
    await until(lambda: len(hall.script.polls) == 2)
    assert hall.state() == "failing"
    hall.intake.note_fetching("shop", "")
    hall.intake.note_fetching("nobody", "")
    assert hall.state() == "running"
