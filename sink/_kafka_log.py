"""The newest part of a Kafka topic, read to see which events are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import ConsumerRecord, TopicPartition

FETCH_RECORDS = 500
FETCH_MILLISECONDS = 500
ID, MARKS = "ce_id", "allears_marks"
"""Headers: the event's key, and its marks where it tells of several messages."""


class TopicLog:
    """Which marks stand in the last `depth` records of each partition, and in all that came since it was opened.

    It reads on with each question, also when the one before was called off: no record is read twice.
    """

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, partitions: Collection[int], depth: int) -> None:
        self._consumer = consumer
        self._topic = topic
        self._partitions = partitions
        self._depth = depth
        self._positions: dict[TopicPartition, int] = {}
        self._marks: set[int] = set()
        """Their hashes: there may be hundreds of thousands."""

    async def find(self, marks: Iterable[str]) -> list[str]:
        """Which of these are there, at the moment of asking. Raises aiokafka's errors."""
        if not self._positions:
            await self._open()
        ends = await self._consumer.end_offsets(list(self._positions))
        while behind := [place for place, end in ends.items() if self._positions[place] < end]:
            self._consumer.resume(*behind)
            await self._read(behind)
            self._consumer.pause(*behind)  # a fetch that waits for more would hold up the next question
        return [mark for mark in marks if hash(mark) in self._marks]

    async def close(self) -> None:
        await self._consumer.stop()

    async def _open(self) -> None:
        from aiokafka.structs import TopicPartition

        places = [TopicPartition(self._topic, number) for number in self._partitions]
        self._consumer.assign(places)
        first = await self._consumer.beginning_offsets(places)
        ends = await self._consumer.end_offsets(places)
        starts = {place: max(first[place], ends[place] - self._depth) for place in places}
        for place, start in starts.items():
            self._consumer.seek(place, start)
        self._consumer.pause(*places)
        self._positions = starts

    async def _read(self, behind: list[TopicPartition]) -> None:
        fetched = await self._consumer.getmany(*behind, timeout_ms=FETCH_MILLISECONDS, max_records=FETCH_RECORDS)
        for records in fetched.values():
            for record in records:
                self._marks.update(hash(mark) for mark in _marks(record))
        for place in behind:  # not the last record's: compaction and transactions leave gaps
            self._positions[place] = await self._consumer.position(place)


def _marks(record: ConsumerRecord) -> list[str]:
    """Of a record of ours; of somebody else's whatever stands under our names."""
    found = [value for name, value in record.headers if name in (ID, MARKS)]
    return b" ".join(found).decode("ascii", "replace").split()
