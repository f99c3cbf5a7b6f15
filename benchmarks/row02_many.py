"""Row 2: how many steps a second are durable while 100 executions run at once in one process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import queue
import statistics
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs
import msgpack
import zstandard
from measuring import Row, main, opened
from peer_dbos import Dbos
from texts import Texts

import omium

ROUNDS = 9
EXECUTIONS = 100
STEPS = 40
DBOS_STEPS = 5
VALUES = 200
VALUE_CHARS = 900
GROUP_MAX = 512
LOG_BYTES = 32 << 20
DICTIONARY_BYTES = 112_640
SAMPLES = 1_000
FAN_OUT = 32
LIMIT_MIN = 0.2
DBOS_MIN = 20.0

Step = Callable[[int], Awaitable[object]]


class Log:
    """The limit, as the design measured it: checkpoints and group commit in Python, without an engine or a database.

    A step makes a checkpoint as small as one can be: the value packed, hashed and compressed with a trained dictionary,
    and a root that names it, the values before it and the root before that. One thread writes what waits, up to 512
    checkpoints, over blocks that the file has already, syncs once, and wakes the loop once.
    """

    def __init__(self, folder: Path, values: list[dict[str, Any]]) -> None:
        self._fd = os.open(folder / "log", os.O_CREAT | os.O_RDWR)
        os.write(self._fd, bytes(LOG_BYTES))
        os.fsync(self._fd)
        self._values = values
        self._at = 0
        others = Texts(102)
        samples = [msgpack.packb(others.message(index, VALUE_CHARS)) for index in range(SAMPLES)]
        dictionary = zstandard.train_dictionary(DICTIONARY_BYTES, samples)
        dictionary.precompute_compress(level=1)
        self._compressor = zstandard.ZstdCompressor(level=1, dict_data=dictionary)
        self._waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def steps(self, number: int) -> Step:
        """Give the steps of one execution: each returns when its checkpoint survives a power loss."""
        before: list[bytes] = []
        previous = bytes(32)

        async def step(index: int) -> None:
            nonlocal previous
            data = msgpack.packb(self._values[index % VALUES])
            digest = hashlib.sha256(data).digest()
            before.append(digest)
            root = msgpack.packb(
                {"execution": number, "step": len(before), "previous": previous, "values": b"".join(before[-FAN_OUT:])}
            )
            previous = hashlib.sha256(root).digest()
            record = msgpack.packb((previous, root, digest, self._compressor.compress(data)))
            arrived = asyncio.get_running_loop().create_future()
            self._waiting.put((record, arrived))
            await arrived

        return step

    def _run(self) -> None:
        while True:
            group = [self._waiting.get()]
            while len(group) < GROUP_MAX and not self._waiting.empty():
                group.append(self._waiting.get())
            self._write([record for record, _ in group])
            group[0][1].get_loop().call_soon_threadsafe(_tell, [arrived for _, arrived in group])

    def _write(self, records: list[bytes]) -> None:
        data = b"".join(struct.pack("<II", len(record), zlib.crc32(record)) + record for record in records)
        if self._at + len(data) > LOG_BYTES:
            self._at = 0
        os.pwrite(self._fd, data, self._at)
        self._at += len(data)
        os.fdatasync(self._fd)


@attrs.define
class Rates:
    """Durable steps per second, by round."""

    ours: list[float] = attrs.field(factory=list)
    limit: list[float] = attrs.field(factory=list)
    dbos: list[float] = attrs.field(factory=list)

    def of_limit(self) -> float:
        """Give how much of the limit's rate in the same round ours is; the median of that."""
        return statistics.median(one / other for one, other in zip(self.ours, self.limit, strict=True))

    def of_dbos(self) -> float:
        """Give how many times DBOS's rate in the same round ours is; the median of that."""
        return statistics.median(one / other for one, other in zip(self.ours, self.dbos, strict=True))


def measure(folder: Path) -> list[Row]:
    """Give row 2."""
    texts = Texts(2)
    values = [texts.message(index, VALUE_CHARS) for index in range(VALUES)]
    dbos: Dbos | None = None
    try:
        dbos = Dbos(folder, values)
        name = dbos.name
    except RuntimeError as error:
        name = str(error)
    rates = asyncio.run(_measured(folder, values, dbos))
    if dbos is not None:
        dbos.close()
    return _rows(rates, values, name)


async def _measured(folder: Path, values: list[dict[str, Any]], dbos: Dbos | None) -> Rates:
    log, rates = Log(folder, values), Rates()
    steps_of = _Gate()

    @omium.checkpoint("research")
    async def research(index: int) -> dict[str, Any]:
        return values[index % VALUES]

    with opened(folder / "ours") as runtime:
        # A gate that all wait at has no place in a workflow; this one is never gone through a second time.
        @omium.workflow(store=runtime.store.url)
        async def flow(number: int) -> None:
            await steps_of.execution(research, number)

        # The first round warms up.
        for _ in range(ROUNDS + 1):
            rates.limit.append(await steps_of.rate(lambda number: steps_of.execution(log.steps(number), number)))
            rates.ours.append(await steps_of.rate(flow))
            if dbos is not None:
                rates.dbos.append(await asyncio.to_thread(dbos.rate, EXECUTIONS, DBOS_STEPS))
    return Rates(rates.ours[1:], rates.limit[1:], rates.dbos[1:])


class _Gate:
    """Begins the steps of all executions at one moment, so that only steps are measured."""

    def __init__(self) -> None:
        self._waiting = 0
        self._open = asyncio.Event()
        self._began = 0.0

    async def rate(self, execution: Callable[[int], Awaitable[object]]) -> float:
        """Give the steps per second of so many executions, from the first step's begin to the last one's end."""
        self._waiting, self._open = 0, asyncio.Event()
        ended = await asyncio.gather(*(self._ended(execution, number) for number in range(EXECUTIONS)))
        return EXECUTIONS * STEPS / (max(ended) - self._began)

    async def execution(self, step: Step, number: int) -> None:
        """Wait until all are here, and take the steps one after another."""
        self._waiting += 1
        if self._waiting == EXECUTIONS:
            self._began = perf_counter()
            self._open.set()
        await self._open.wait()
        for index in range(STEPS):
            await step(number + index)

    async def _ended(self, execution: Callable[[int], Awaitable[object]], number: int) -> float:
        await execution(number)
        return perf_counter()


def _tell(group: list[asyncio.Future[None]]) -> None:
    for arrived in group:
        arrived.set_result(None)


def _rows(rates: Rates, values: list[dict[str, Any]], name: str) -> list[Row]:
    what = f"{EXECUTIONS} executions at once, durable steps of 1 KB per second"
    share = rates.of_limit()
    size = statistics.fmean(len(msgpack.packb(one)) for one in values)
    notes = (f"limit: {statistics.median(rates.limit):,.0f} steps/s; a value has {size:,.0f} bytes on average",)
    measured = f"{statistics.median(rates.ours):,.0f} steps/s = {share:.2f}x the limit"
    rows = [Row(2, what, measured, f">= {LIMIT_MIN}x the limit", share >= LIMIT_MIN, notes)]
    if not rates.dbos:
        return [*rows, Row(2, "the same next to DBOS", "not measured", f">= {DBOS_MIN:.0f}x", None, (name,))]
    times = rates.of_dbos()
    note = f"DBOS: {statistics.median(rates.dbos):,.0f} steps/s"
    next_to = Row(2, "the same next to DBOS", f"{times:.0f}x {name}", f">= {DBOS_MIN:.0f}x", times >= DBOS_MIN, (note,))
    return [*rows, next_to]


if __name__ == "__main__":
    main(measure)
