"""`examples/transfers` does what its README says, and its auditor finds what it is there to find."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from transfers_world import EXAMPLES, World

from omium.runtime import runtime_for
from omium_core.model import events as e

README = EXAMPLES / "transfers" / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:python -m transfers|omium) .*)$", re.MULTILINE)
BATCHES = 5

# What somebody could do to the books, and what the auditor says of it.
TAMPERED = {
    "money appeared or vanished": "UPDATE account SET balance = balance + 1 WHERE id = 'A-000'",
    "a balance is not what was booked": """
        UPDATE account SET balance = balance + CASE id WHEN 'A-000' THEN 1 ELSE -1 END
        WHERE id IN ('A-000', 'A-003')""",
    "a booking does not add up to nothing": """
        UPDATE entry SET cents = cents * 2 WHERE (booking, account) = (SELECT booking, account FROM entry LIMIT 1)""",
    "a payer's money is still on its way": """
        INSERT INTO booking (key, kind, order_id) VALUES ('x', 'reserve', 'x');
        INSERT INTO entry VALUES ('x', 'A-000', -5), ('x', 'clearing-CHF', 5);
        UPDATE account SET balance = balance - 5 WHERE id = 'A-000';
        UPDATE account SET balance = balance + 5 WHERE id = 'clearing-CHF'""",
    "an order has no end": "UPDATE instruction SET status = NULL, reason = NULL WHERE line = 1",
    "an order is not booked as its status says": """
        UPDATE instruction SET status = 'rejected', reason = 'x' WHERE line = 1""",
    "an order is reserved more than once": """
        INSERT INTO booking (key, kind, order_id)
        SELECT 'x', kind, order_id FROM booking WHERE kind = 'reserve' LIMIT 1;
        INSERT INTO entry VALUES ('x', 'A-000', 5), ('x', 'A-003', -5);
        UPDATE account SET balance = balance + 5 WHERE id = 'A-000';
        UPDATE account SET balance = balance - 5 WHERE id = 'A-003'""",
    "an order is booked with another amount": "UPDATE instruction SET cents = cents + 1 WHERE line = 1",
    "a customer was not told once": "INSERT INTO notice (key, line, recipient, body) VALUES ('x', 1, 'A-000', 'again')",
    "the clearing house was not told once": "UPDATE announcement SET withdrawn = true WHERE batch = 1",
}


@pytest.fixture(scope="module")
def settled(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A bank for which everything has been done that is in the first batches."""
    world = World.new(postgres.database(), tmp_path_factory.mktemp("transfers"))
    world.run(*world.work(BATCHES, processes=2))
    return world


def test_books_balance(settled: World) -> None:
    """Every order has its end, and nothing is wrong on either side."""
    said = settled.books()

    assert said.startswith(f"{24 * BATCHES} orders, ")
    assert said.endswith("the books balance\n")
    assert settled.problems() == []


def test_every_way_to_recover_is_taken(settled: World) -> None:
    """In the first batches are a retry, a fallback, a rollback that withdraws, a reservation that is released."""
    store = runtime_for(f"sqlite:///{settled.project}/.omium/omium.db").store
    events = [event for name in settled.executions() for event in store.events(name)]

    strategies = {one.strategy for one in events if isinstance(one, e.RecoveryDecided)}
    undone = {one.effect for one in events if isinstance(one, e.EffectCompensated)}
    names = {one.name for one in events if isinstance(one, e.EffectIntended) and one.effect in undone}

    assert strategies >= {"retry", "fallback", "rollback"}
    assert names >= {"announce", "reserve"}


def test_awkward_orders_are_rejected_with_their_reason(settled: World) -> None:
    """Each kind of awkward order is refused in words that a customer understands."""
    reasons = " | ".join(sorted({reason or "" for _, _, reason in settled.settled().orders}))

    for words in (
        "is closed",
        "has not enough funds",
        "is not an amount",
        "is not in ",
        "is on line",
        "is on the sanctions list",
        "is too high",
        "there is no account",
    ):
        assert words in reasons


AUDIT = """
import json, os, sys
from transfers import books, ledger

for url in sys.argv[1:]:
    os.environ[ledger.VARIABLE] = url
    ledger.database.cache_clear()
    print(json.dumps(books.audit().wrong))
"""


def test_auditor_finds_what_must_not_be(settled: World, postgres: Any) -> None:
    """Whatever is done to the books is found, each thing by its own rule."""
    urls = {rule: postgres.database(like=settled.url) for rule in TAMPERED}
    for rule, sql in TAMPERED.items():
        with psycopg.connect(urls[rule]) as bank:
            bank.execute(sql.encode())

    found = map(json.loads, settled.run("-c", AUDIT, *urls.values()).splitlines())

    assert [
        rule for rule, wrong in zip(urls, found, strict=True) if not any(one.startswith(rule) for one in wrong)
    ] == []


def test_readme_is_what_one_types(postgres: Any, tmp_path: Path, pressed: Callable[[int, int], int]) -> None:
    """The README's commands work, in their order, each block of them against an empty database."""
    blocks = [COMMAND.findall(block) for block in BLOCK.findall(README.read_text())]
    assert [len(commands) for commands in blocks if commands] == [4, 3]

    for number, commands in enumerate(block for block in blocks if block):
        world = World.new(postgres.database(), tmp_path / str(number), opened=False)
        options = {**world.process(), "cwd": EXAMPLES}
        options["env"] = {**options["env"], "OMIUM_HOME": str(world.project / ".omium"), "OMIUM_DURABILITY": "process"}
        for command in commands:
            if " work " in command:
                # The whole file is for `--torture`; otherwise two batches say as much.
                command += f" --batches {pressed(2, 25)}"
            command = command.replace("python", sys.executable).replace("omium", f"{sys.executable} -m omium", 1)
            done = subprocess.run(**{**options, "args": command}, shell=True, timeout=300, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}"


def test_orders_are_settled_by_one_execution(settled: World) -> None:
    """A second execution over the same lines is refused before it touches money."""
    given = '{"file": "orders.csv", "batch": 1}'

    said = settled.run(
        "-m", "omium", "run", "transfers.workflow", "--input", given, "--execution-id", "again", status=1
    )

    assert "line 1 is orders-0001's" in said
    settled.books()


def test_shipped_files_are_the_generated_ones(tmp_path: Path, settled: World) -> None:
    """Who runs `python -m transfers.generate` gets the files that are there; they have more than 500 orders."""
    settled.run("-c", f"from pathlib import Path; from transfers.generate import write; write(Path({str(tmp_path)!r}))")

    for name in ("orders.csv", "accounts.csv"):
        assert (tmp_path / name).read_text() == (EXAMPLES / "transfers" / name).read_text()
    assert len((tmp_path / "orders.csv").read_text().splitlines()) > 500


LATE = """
from transfers import ledger

order = {"A-000": -5, "A-003": 5}
ledger.book("k1", "reserve", "T1", order)
ledger.book("k1", "reserve", "T1", order)
assert ledger.happened("k1", "booking")

assert not ledger.happened("k2", "booking")
try:
    ledger.book("k2", "reserve", "T2", order)
except ledger.Refused as reason:
    print(reason)
"""


def test_check_is_an_answer_for_good(postgres: Any, tmp_path: Path) -> None:
    """What was asked for twice is booked once; what was not found when somebody asked is refused ever after."""
    world = World.new(postgres.database(), tmp_path)

    assert world.run("-c", LATE) == "`k2` was given up\n"

    with psycopg.connect(world.url) as bank:
        assert bank.execute("SELECT key, asked FROM booking").fetchall() == [("k1", 2)]


def test_check_waits_for_who_is_still_at_it(postgres: Any, tmp_path: Path) -> None:
    """A commit that is on its way when the check is made is not overlooked."""
    world = World.new(postgres.database(), tmp_path)
    with psycopg.connect(world.url) as writer:
        writer.execute("SELECT pg_advisory_xact_lock(hashtextextended('k', 0))")
        writer.execute("INSERT INTO booking (key, kind, order_id) VALUES ('k', 'payout', 'T1')")
        asking = "from transfers import ledger; print(ledger.happened('k', 'booking'))"
        with world.running("-c", asking) as check, psycopg.connect(world.url, autocommit=True) as other:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not other.execute(waiting).fetchone()[0]:
                assert check.poll() is None, check.communicate()
            writer.commit()
            said, _ = check.communicate()

    assert said == "True\n"
