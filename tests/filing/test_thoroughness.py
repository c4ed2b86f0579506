"""The encoder reads along while there is time, and never holds up a flood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from allears.filing.leisure import BURST_STEPS, Leisure
from allears.settings.understanding_section import Encoding
from allears.workers.pool import WorkerLost
from normalizer.encoder import load
from tests.filing.office import Office

pytestmark = pytest.mark.filterwarnings("error")


def steps(encoder: Encoding, *taken: int, most: int = 48) -> list[bool]:
    leisure = Leisure()
    return [leisure.for_step(count, most, encoder) for count in taken]


def test_a_burst_is_read_thoroughly_and_a_flood_quickly_until_it_has_been_taken_in() -> None:
    flood = [48] * (BURST_STEPS + 3)
    assert steps("auto", 1, *flood, 47, 48) == [True] * (1 + BURST_STEPS) + [False] * 3 + [True, True]


def test_who_says_always_or_never_means_it() -> None:
    assert all(steps("always", *[48] * 50))
    assert not any(steps("never", 0, 1, 48))


def test_where_more_come_than_could_be_read_nobody_waits_for_the_encoder() -> None:
    leisure = Leisure()
    assert not leisure.for_step(1, 32, "auto", is_flooded=True)
    assert leisure.for_step(1, 48, "auto")
    assert leisure.for_step(32, 32, "always", is_flooded=True)


@pytest.mark.parametrize("channel", ["desk", "chat"])
async def test_the_record_says_who_was_asked(office: Office, channel: str) -> None:
    encoder = load()
    assert encoder is not None
    sources = {}
    for mode in ("always", "never"):
        office.stage.encoder = mode
        await office.say(channel, f"k-{mode}", "前天下的单，到现在都没发货，客服一直说在催", who=mode, thread=mode)
        await office.settle(200)
        files = await office.complaints()
        (record,) = [one.record for one in files if mode in one.record.customer_id]
        sources[mode] = {why.source for why in record.provenance.values() if why.source.startswith("model:")}
    assert any(source.endswith(f"+{encoder.head.name}") for source in sources["always"])
    assert not any("+" in source for source in sources["never"])


@pytest.mark.parametrize("channel", ["desk", "chat"])
async def test_where_the_encoder_ends_its_worker_the_texts_are_read_without_it(
    office: Office, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lost = office.workers.run, []

    async def dying(function: Callable[..., Any], *arguments: Any) -> Any:
        if arguments[-1] is True:
            lost.append(function)
            raise WorkerLost("the worker process died")
        return await run(function, *arguments)

    monkeypatch.setattr(office.workers, "run", dying)
    office.stage.encoder = "always"
    await office.say(channel, "k-1", "前天下的单，到现在都没发货", thread="wm-li")
    await office.settle(200)
    (filed,) = await office.complaints()
    assert (filed.record.nature, bool(lost)) == ("complaint", True)
    assert not await office.letters()
