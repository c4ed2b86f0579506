"""Whom answers to customers go through: the connector that runs now."""

from __future__ import annotations

from tests.intake.hall import Hall, channel_settings


async def test_the_connector_that_runs_now(hall: Hall) -> None:
    await hall.open()
    first = hall.intake.connector("shop")
    assert first is not None
    await hall.intake.apply({"shop": channel_settings(title="another")})
    second = hall.intake.connector("shop")
    assert second is not None
    assert second is not first


async def test_none_while_the_channel_is_paused_or_gone(hall: Hall) -> None:
    await hall.open()
    await hall.intake.pause("shop")
    assert hall.intake.connector("shop") is None
    await hall.intake.resume("shop")
    assert hall.intake.connector("shop") is not None
    await hall.intake.apply({})
    assert hall.intake.connector("shop") is None
    assert hall.intake.connector("stranger") is None
