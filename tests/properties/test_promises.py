"""One test for each promise about recovery that a reader of concepts.md would want to see, and for each bug found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import omium
from omium import (
    Checkpoint,
    Compensate,
    Diverged,
    Execution,
    ExecutionFenced,
    Halt,
    NotDone,
    Pause,
    Recovery,
    Retry,
    Rollback,
    StoreError,
    Transaction,
)
from omium.testing.simulation.process import Crash, Lab, lab

RETRY = Recovery(Retry(3), Halt())


@pytest.fixture
def here() -> Iterator[Lab]:
    """A lab with its first process, which writes what it can before it dies."""
    with lab() as made:
        made.process(keep=8)
        yield made


class Outside:
    """A world that writes down what happens, and lets a process die."""

    def __init__(self, here: Lab) -> None:
        self.lab = here
        self.log: list[str] = []
        self.die_at: str | None = None

    def __call__(self, what: str) -> str:
        self.log.append(what)
        if what == self.die_at:
            self.die_at = None
            self.lab.fate.die()
        return what

    def net(self) -> list[str]:
        """Give what stands: an undo takes away what it names."""
        standing: list[str] = []
        for one in self.log:
            if one.startswith("undo "):
                standing.remove(one.removeprefix("undo "))
            else:
                standing.append(one)
        return standing


@pytest.fixture
def outside(here: Lab) -> Outside:
    """The world of the lab."""
    return Outside(here)


def resumed(here: Lab, workflow: Any, execution: str = "one") -> Execution:
    """Go on in a new process."""
    here.process()
    found: Execution = workflow.resume(execution)
    return found


def answered(here: Lab, action: str, **given: Any) -> None:
    """Answer what the execution asks with the choice of that name."""
    asked = here.state("one").review
    assert asked is not None
    choices = [one["action"] for one in here.store.view("one", asked.request.seq)["choices"]]
    omium.review("one", choice=choices.index(action), by="ann", store=here.url, **given)


def kinds(here: Lab) -> list[str]:
    return [type(one).__name__ for one in here.events("one")]


# ---- attempts and models


def test_attempt_2_reaches_the_model(here: Lab, outside: Outside) -> None:
    """A read is recorded per attempt, so a model that is told what was wrong is asked again."""
    answers = iter(["0 %", "4 %"])

    @omium.effect(model="scripted")
    def ask(prompt: str) -> str:
        outside(f"ask {prompt}")
        return next(answers)

    @omium.checkpoint("offer", recovery=RETRY)
    def offer() -> str:
        apr = ask("apr?" + omium.current().feedback_text)
        omium.require(apr != "0 %", "0 % is outside the band")
        return apr

    @omium.workflow(store=here.url)
    def flow() -> str:
        return offer()

    assert flow() == "4 %"
    assert [one.count("outside the band") for one in outside.log] == [0, 1]


def test_killed_in_attempt_2_it_goes_on_with_the_answers_of_attempt_2(here: Lab, outside: Outside) -> None:
    """What a crashed attempt was told is what it is told again; the model is not asked a third time."""
    answers = iter(["0 %", "4 %", "7 %"])

    @omium.effect(model="scripted")
    def ask() -> str:
        return outside("ask " + next(answers)).removeprefix("ask ")

    @omium.effect(undo=lambda value: outside(f"undo {value}"), check=lambda key: "reserve 4 %")
    def reserve(apr: str) -> str:
        return outside(f"reserve {apr}")

    @omium.checkpoint("offer", recovery=RETRY)
    def offer() -> tuple[str, int, str]:
        apr = ask()
        omium.require(apr != "0 %", "0 % is outside the band")
        reserve(apr)
        return apr, omium.current().attempt, omium.current().feedback_text

    @omium.workflow(store=here.url)
    def flow() -> Any:
        return offer()

    outside.die_at = "reserve 4 %"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    result = resumed(here, flow).result
    assert result[:2] == ("4 %", 2)
    assert "outside the band" in result[2]
    assert outside.log == ["ask 0 %", "ask 4 %", "reserve 4 %"]


def test_an_inner_step_that_failed_is_tried_again_by_the_outer_ones_ladder(here: Lab, outside: Outside) -> None:
    """Its failure is the answer within the attempt that met it, and not in the next one."""

    @omium.checkpoint("inner")
    def inner() -> str:
        if omium.current().attempt == 1:
            raise TimeoutError("too late")
        return outside("inner")

    @omium.checkpoint("outer", recovery=RETRY)
    def outer() -> str:
        return inner()

    @omium.workflow(store=here.url)
    def flow() -> str:
        return outer()

    assert flow() == "inner"


def test_attempts_and_rungs_are_counted_across_rollbacks_of_a_person(here: Lab) -> None:
    """Otherwise a rollback would make a ladder endless."""
    attempts = []

    @omium.checkpoint("never", recovery=Recovery(Retry(2), Pause(), Halt()))
    def never() -> None:
        attempts.append(omium.current().attempt)
        raise ValueError("no")

    @omium.workflow(store=here.url)
    def flow() -> None:
        never()

    assert flow.start(execution_id="one").status == "paused"
    for expected in ("halted", "halted"):
        omium.rollback("one", "start", by="ann", store=here.url)
        assert resumed(here, flow).status == expected
    assert attempts == [1, 2, 3, 4, 5]


# ---- irreversible effects in other words


@pytest.mark.parametrize(("answer", "sent"), [("reuse", ["dear ann"]), ("perform", ["dear ann", "hello ann"])])
def test_an_irreversible_request_in_other_words_is_stopped_and_shown(
    here: Lab, outside: Outside, answer: str, sent: list[str]
) -> None:
    """After a rollback the agent words it anew: zero more times, unless a person says so."""
    words = iter(["dear ann", "hello ann", "hi ann"])

    @omium.effect(model="scripted")
    def ask() -> str:
        return next(words)

    @omium.effect(irreversible=True)
    def mail(text: str) -> str:
        return outside(text)

    @omium.checkpoint("send")
    def send() -> str:
        return mail(ask())

    @omium.workflow(store=here.url)
    def flow() -> str:
        return send()

    assert flow.start(execution_id="one").status == "completed"
    omium.rollback("one", "start", by="ann", store=here.url)
    assert resumed(here, flow).status == "paused"
    assert outside.log == ["dear ann"]
    evidence = here.store.view("one", here.state("one").review.request.seq)["evidence"]  # type: ignore[union-attr]
    assert (evidence["stands"]["arguments"], evidence["asked"]["arguments"]) == (
        {"text": "dear ann"},
        {"text": "hello ann"},
    )
    answered(here, answer)
    execution = resumed(here, flow)
    assert (execution.status, execution.result, outside.log) == ("completed", sent[-1], sent)


def test_what_is_volatile_may_be_worded_anew(here: Lab, outside: Outside) -> None:
    """The same request but for its volatile part is claimed without a question."""
    words = iter(["dear ann", "hello ann"])

    @omium.effect(model="scripted")
    def ask() -> str:
        return next(words)

    @omium.effect(irreversible=True, volatile=("text",))
    def mail(to: str, text: str) -> str:
        return outside(text)

    @omium.workflow(store=here.url)
    def flow() -> str:
        return mail("ann", ask())

    flow.start(execution_id="one")
    omium.rollback("one", "start", by="ann", store=here.url)
    assert resumed(here, flow).result == "dear ann"
    assert outside.log == ["dear ann"]


def test_a_conflict_inside_an_inner_step_goes_to_the_ladder_that_names_it(here: Lab, outside: Outside) -> None:
    """The outer step's attempt ends, although the inner one has no ladder, and the next attempt is told why."""
    words = iter(["dear ann", "hello ann", "dear ann"])

    @omium.effect(model="scripted")
    def ask() -> str:
        return next(words)

    @omium.effect(irreversible=True)
    def mail(text: str) -> str:
        return outside(text)

    told = []

    @omium.checkpoint("inner")
    def inner() -> str:
        try:
            return mail(ask())
        except BaseException:
            outside("noticed")
            raise

    @omium.checkpoint("outer", recovery=Recovery(Retry(1), Halt(), kinds=("effect_conflict",)))
    def outer() -> str:
        told.append(omium.current().feedback_text)
        with Checkpoint("around"):
            return inner()

    @omium.workflow(store=here.url)
    def flow() -> str:
        return outer()

    flow.start(execution_id="one")
    omium.rollback("one", "start", by="ann", store=here.url)
    execution = resumed(here, flow)
    assert (execution.status, execution.reason) == ("completed", "")
    assert outside.log == ["dear ann", "noticed"]
    assert [bool(one) for one in told] == [False, False, True]


def test_a_claim_dies_with_its_branch(here: Lab, outside: Outside) -> None:
    """What one step claimed is free again after a rollback behind it, for whoever asks for the same then."""
    turns = iter(["b", "c"])

    @omium.effect(irreversible=True)
    def mail() -> str:
        return outside("mail")

    @omium.effect(read=True)
    def turn() -> str:
        return next(turns)

    @omium.checkpoint("a", recovery=RETRY)
    def a() -> None:
        if omium.current().attempt == 1:
            mail()
            raise ValueError("once")

    @omium.workflow(store=here.url)
    def flow() -> str:
        a()
        return omium.checkpoint(turn())(lambda: mail())()  # type: ignore[no-any-return]  # of a lambda

    assert flow.start(execution_id="one").status == "completed"
    assert "EffectClaimed" in kinds(here)
    omium.rollback("one", "a", by="ann", store=here.url)
    assert resumed(here, flow).status == "completed"
    assert outside.log == ["mail"]


# ---- effects that failed


def test_code_that_caught_a_failed_effect_goes_the_same_way_after_a_crash(here: Lab, outside: Outside) -> None:
    """The first card was refused, the second was charged; the first one would work by now, and is not asked again."""
    refused = iter([True, False])

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge(card: str) -> str:
        if card == "first" and next(refused):
            raise NotDone("no money")
        return outside(f"charge {card}")

    @omium.effect(read=True)
    def look() -> str:
        return outside("look")

    @omium.checkpoint("pay")
    def pay() -> str:
        try:
            paid = charge("first")
        except NotDone:
            paid = charge("second")
        look()
        return paid

    @omium.workflow(store=here.url)
    def flow() -> str:
        return pay()

    outside.die_at = "look"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    assert resumed(here, flow).result == "charge second"
    assert outside.log == ["charge second", "look", "look"]


def test_sending_again_in_vain_does_not_prove_that_the_first_time_failed(here: Lab, outside: Outside) -> None:
    """Otherwise the next attempt would use another key, and the provider could not recognise it."""
    keys = []
    happens = iter(["lost", "refused", "fine"])

    @omium.effect(key=lambda order: f"order {order}")
    def place(order: int) -> str:
        keys.append(omium.current().key)
        match next(happens):
            case "lost":
                raise ConnectionResetError("the reply was lost")
            case "refused":
                raise ConnectionRefusedError("nobody is there")
        return "placed"

    @omium.checkpoint("order", recovery=RETRY)
    def order() -> str:
        return place(7)

    @omium.workflow(store=here.url)
    def flow() -> str:
        return order()

    assert flow() == "placed"
    assert keys == ["order 7"] * 3


def test_a_key_names_one_effect_also_while_nobody_knows_whether_it_happened(here: Lab, outside: Outside) -> None:
    """Another step that asks for it sends it again under the same key, and not as another one."""
    keys = []

    @omium.effect(key=lambda order: f"order {order}")
    def place(order: int) -> str:
        keys.append(omium.current().key)
        if len(keys) == 1:
            raise ConnectionResetError("the reply was lost")
        return "placed"

    @omium.checkpoint("order")
    def order() -> str:
        try:
            return place(7)
        except ConnectionResetError:
            return "perhaps"

    @omium.workflow(store=here.url)
    def flow() -> list[str]:
        return [order(), order(), order()]

    assert flow() == ["perhaps", "placed", "placed"]
    assert keys == ["order 7"] * 2


def test_what_an_unfinished_inner_step_did_is_compensated(here: Lab, outside: Outside) -> None:
    """Its attempt never ended, and the outer step's next attempt does not ask for it."""

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge(what: str) -> str:
        return outside(what)

    @omium.effect(irreversible=True)
    def mail(text: str) -> str:
        return outside(text)

    @omium.checkpoint("inner")
    def inner(text: str) -> None:
        charge("extra")
        mail(text)

    texts = iter(["dear ann", "hello ann"])

    @omium.effect(read=True)
    def word() -> str:
        return next(texts)

    @omium.checkpoint("outer", recovery=Recovery(Retry(1), Halt(), kinds=("effect_conflict",)))
    def outer() -> str:
        if omium.current().attempt < 3:
            inner(word())
        return charge("base")

    @omium.workflow(store=here.url)
    def flow() -> str:
        return outer()

    flow.start(execution_id="one")
    omium.rollback("one", "start", by="ann", store=here.url)
    assert resumed(here, flow).status == "completed"
    assert outside.net() == ["dear ann", "base"]


@pytest.mark.parametrize(("last", "status", "attempts"), [(Retry(1), "completed", [1, 2]), (Pause(), "paused", [1])])
def test_a_process_that_dies_in_a_compensation_brings_it_to_its_end(
    here: Lab, outside: Outside, last: Any, status: str, attempts: list[int]
) -> None:
    """The effect may be undone already, so nobody claims it; and the ladder goes on with the rung that is next."""
    seen = []

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge() -> str:
        return outside("charge")

    @omium.checkpoint("pay", recovery=Recovery(Compensate(), last, Halt()))
    def pay() -> str:
        seen.append(omium.current().attempt)
        paid = charge()
        omium.require(omium.current().attempt > 1, "not at once")
        return paid

    @omium.workflow(store=here.url)
    def flow() -> str:
        return pay()

    outside.die_at = "undo charge"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    outside.log.remove("undo charge")  # It is undone again under the same key, which a provider recognises.
    assert (resumed(here, flow).status, seen) == (status, attempts)
    assert outside.net() == ["charge"] * (len(attempts) - 1)


# ---- blocks


@pytest.mark.parametrize("die_at", ["mail", None])
def test_a_restored_block_keeps_what_was_done_in_it(here: Lab, outside: Outside, die_at: str | None) -> None:
    """Code that asks `restored` does not ask for the block's effects again; they are the block's all the same."""

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge() -> str:
        return outside("charge")

    @omium.effect(irreversible=True, check=lambda key: "mail")
    def mail() -> str:
        return outside("mail")

    @omium.checkpoint("again", recovery=RETRY)
    def again() -> str:
        paid = paying()
        if omium.current().attempt == 1:
            raise ValueError("once more")
        return paid

    def paying() -> str:
        with Checkpoint("paid") as block:
            if not block.restored:
                block.state = charge()
        return str(block.state)

    @omium.workflow(store=here.url)
    def flow() -> list[str]:
        return [paying(), again(), mail()]

    outside.die_at = die_at
    if die_at is not None:
        with pytest.raises(Crash):
            flow.start(execution_id="one")
        execution = resumed(here, flow)
    else:
        execution = flow.start(execution_id="one")
    assert (execution.status, execution.result) == ("completed", ["charge", "charge", "mail"])
    assert outside.log == ["charge", "charge", "mail"]


def test_a_block_goes_the_same_way_again_when_it_is_restored(here: Lab, outside: Outside) -> None:
    """Python cannot skip a block; its models answer from the record, also in the next attempt around it."""
    words = iter(["a", "b", "c"])

    @omium.effect(model="scripted")
    def ask() -> str:
        return next(words)

    @omium.effect(irreversible=True)
    def mail(text: str) -> str:
        return outside(text)

    @omium.checkpoint("outer", recovery=RETRY)
    def outer() -> list[str]:
        with Checkpoint("first"):
            first = mail(ask())
        with Transaction("second"):
            second = mail(ask())
        if omium.current().attempt == 1:
            raise ValueError("once more")
        return [first, second]

    @omium.workflow(store=here.url)
    def flow() -> list[str]:
        return outer()

    assert flow() == ["a", "b"]
    assert outside.log == ["a", "b"]


def test_a_step_inside_a_transaction_that_failed_is_done_again(here: Lab, outside: Outside) -> None:
    """Its effect is undone with the transaction, so its outcome is none any more; also if the process dies then."""

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge() -> str:
        return outside("charge")

    @omium.checkpoint("inner")
    def inner() -> str:
        return charge()

    failed: list[bool] = []

    @omium.transaction("book", recovery=RETRY)
    def book() -> str:
        paid = inner()
        if not failed:
            failed.append(True)
            raise ValueError("no room")
        return paid

    @omium.workflow(store=here.url)
    def flow() -> str:
        return book()

    outside.die_at = "undo charge"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    outside.log.remove("undo charge")  # It is undone again under the same key, which a provider recognises.
    assert resumed(here, flow).result == "charge"
    assert outside.log == ["charge", "undo charge", "charge"]


def test_a_transaction_whose_effects_are_claimed_is_not_an_effect_itself(here: Lab, outside: Outside) -> None:
    """Also in another process: the claim says which transaction it belongs to."""

    @omium.effect(irreversible=True)
    def mail() -> str:
        return outside("mail")

    @omium.workflow(store=here.url)
    def flow() -> str:
        with Transaction("book"):
            return mail()

    for _ in range(3):
        here.process()
        if here.disk.execution("one") is None:
            flow.start(execution_id="one")
        omium.rollback("one", "start", by="ann", store=here.url)
        assert resumed(here, flow).status == "completed"
    assert outside.log == ["mail"]


# ---- lanes


def lanes_of(here: Lab, outside: Outside, how: str, order: list[int]) -> Any:
    """Make a workflow with three lanes that begin in the order that is in `order` at the time."""

    sent: dict[str | None, str] = {}

    @omium.effect(irreversible=True, check=lambda key: sent.get(key, omium.NOT_DONE))
    def mail(number: int) -> str:
        sent[omium.current().key] = f"mail {number}"
        return outside(f"mail {number}")

    @omium.checkpoint("part")
    def part(number: int) -> str:
        return mail(number)

    @omium.checkpoint("end")
    def end(parts: list[str]) -> list[str]:
        outside("end")
        return parts

    if how == "threads":

        @omium.workflow(store=here.url, name="lanes")
        def flow() -> Any:
            with ThreadPoolExecutor(1) as pool:
                futures = {number: pool.submit(omium.bind(part), number) for number in order}
            return end([futures[number].result() for number in sorted(futures)])

        return flow

    @omium.workflow(store=here.url, name="lanes")
    async def aflow() -> Any:
        async def run(number: int) -> str:
            return part(number)

        tasks = {number: asyncio.create_task(run(number)) for number in order}
        return end([await tasks[number] for number in sorted(tasks)])

    return aflow


@pytest.mark.parametrize("how", ["threads", "tasks"])
@pytest.mark.parametrize("die_at", ["mail 1", "mail 2", "mail 3", "end"])
def test_lanes_are_found_again_in_any_order(here: Lab, outside: Outside, how: str, die_at: str) -> None:
    """Lanes match by name: what finished in one order is resumed in another, and nothing is sent twice."""
    order = [1, 2, 3]
    flow = lanes_of(here, outside, how, order)
    outside.die_at = die_at
    with pytest.raises(Crash):
        _run(flow.start(execution_id="one"))
    order.reverse()
    here.process()
    assert _run(flow.resume("one")).result == ["mail 1", "mail 2", "mail 3"]
    assert sorted(one for one in outside.log if one != "end") == ["mail 1", "mail 2", "mail 3"]


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_a_lane_that_is_not_asked_for_is_a_divergence(here: Lab, outside: Outside, how: str) -> None:
    """It stops when the code around the lanes ends, and says which is missing; nothing is sent twice."""
    order = [1, 2, 3]
    flow = lanes_of(here, outside, how, order)
    outside.die_at = "end"
    with pytest.raises(Crash):
        _run(flow.start(execution_id="one"))
    order.remove(2)
    here.process()
    with pytest.raises(Diverged) as stopped:
        _run(flow.resume("one"))
    assert "part" in str(stopped.value)
    assert sorted(one for one in outside.log if one != "end") == ["mail 1", "mail 2", "mail 3"]


def test_a_lane_left_behind_by_an_attempt_does_nothing_more(here: Lab, outside: Outside) -> None:
    """The next attempt charges; the lane of the attempt before, which only now gets there, does not."""

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    async def charge() -> str:
        return outside(f"charge {omium.current().attempt}")

    async def slow() -> str:
        for _ in range(20):
            await asyncio.sleep(0)
        return await charge()

    async def fails() -> None:
        raise ValueError("once")

    @omium.checkpoint("pay", recovery=RETRY)
    async def pay() -> str:
        if omium.current().attempt == 1:
            await asyncio.gather(slow(), fails())
        result = await slow()
        for _ in range(50):
            await asyncio.sleep(0)
        return result

    @omium.workflow(store=here.url)
    async def flow() -> str:
        return await pay()

    assert asyncio.run(flow()) == "charge 2"
    assert outside.log == ["charge 2"]


def test_what_a_lane_left_behind_has_begun_is_awaited(here: Lab, outside: Outside) -> None:
    """Its effect is in flight when the attempt fails; the next attempt claims it instead of doing it again."""
    begun = asyncio.Event()

    @omium.effect(irreversible=True)
    async def mail() -> str:
        begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
        return outside("mail")

    async def fails() -> None:
        await begun.wait()
        raise ValueError("once")

    @omium.checkpoint("send", recovery=RETRY)
    async def send() -> str:
        if omium.current().attempt == 1:
            await asyncio.gather(mail(), fails())
        return await mail()

    @omium.workflow(store=here.url)
    async def flow() -> str:
        return await send()

    assert asyncio.run(flow()) == "mail"
    assert outside.log == ["mail"]


@pytest.mark.skipif(not hasattr(asyncio, "TaskGroup"), reason="task groups are new in Python 3.11")
def test_a_task_group_lets_a_stop_through(here: Lab, outside: Outside) -> None:
    """The messenger comes out of a group wrapped, and is seen all the same."""

    @omium.checkpoint("waits", recovery=Recovery(Pause(), Halt()))
    async def waits() -> None:
        raise ValueError("ask somebody")

    @omium.checkpoint("outer", recovery=RETRY)
    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits())

    @omium.workflow(store=here.url)
    async def flow() -> None:
        await outer()

    assert asyncio.run(flow.start(execution_id="one")).status == "paused"


# ---- divergence, exceptions, stops


def changing(here: Lab, outside: Outside, names: list[str], on_divergence: str) -> Any:
    """Make a workflow whose steps have the names that are in `names` at the time."""

    @omium.effect(undo=lambda value: outside(f"undo {value}"))
    def charge(what: str) -> str:
        return outside(what)

    def body(name: str) -> Any:
        return omium.checkpoint(name)(lambda: charge(name))

    @omium.workflow(store=here.url, name="changing", on_divergence=on_divergence)
    def flow() -> list[str]:
        done = [body(name)() for name in names]
        outside("end")
        return done

    return flow


def test_code_that_changed_is_a_divergence(here: Lab, outside: Outside) -> None:
    """It stops and says where and what; restoring the code lets it go on."""
    names = ["a", "b", "c"]
    flow = changing(here, outside, names, "stop")
    outside.die_at = "end"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    names[1] = "x"
    here.process()
    with pytest.raises(Diverged) as stopped:
        flow.resume("one")
    assert (stopped.value.expected, stopped.value.found) == ("`b`", "`x`")
    assert outside.log == ["a", "b", "c", "end"]
    names[1] = "b"
    assert resumed(here, flow).result == ["a", "b", "c"]


def test_code_that_changed_goes_on_from_there_if_it_may(here: Lab, outside: Outside) -> None:
    """With `on_divergence="rerun"` what came after is undone, newest first, and done by the new code."""
    names = ["a", "b", "c"]
    flow = changing(here, outside, names, "rerun")
    outside.die_at = "end"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    names[1] = "x"
    assert resumed(here, flow).result == ["a", "x", "c"]
    assert outside.log == ["a", "b", "c", "end", "undo c", "undo b", "x", "c", "end"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("k"), TimeoutError("late"), omium.ConditionFailed("no")])
def test_an_exception_without_a_ladder_is_raised_again_from_the_record(
    here: Lab, outside: Outside, error: Exception
) -> None:
    """With its type and its arguments; the step is not done again, and the workflow catches it as it did."""

    @omium.checkpoint("fails")
    def fails() -> None:
        outside("fails")
        raise error

    @omium.workflow(store=here.url)
    def flow() -> tuple[str, str]:
        try:
            fails()
        except type(error) as caught:
            outside("end")
            return type(caught).__name__, str(caught)
        return "", ""

    outside.die_at = "end"
    with pytest.raises(Crash):
        flow.start(execution_id="one")
    assert tuple(resumed(here, flow).result) == (type(error).__name__, str(error))
    assert outside.log == ["fails", "end", "end"]


@pytest.mark.parametrize("ladder", [Recovery(Pause(), Halt()), Recovery(Halt()), Recovery(Rollback("start"), Halt())])
def test_user_code_cannot_swallow_a_stop(here: Lab, outside: Outside, ladder: Recovery) -> None:
    """Neither `except Exception` nor a bare `except`, around the step and around what is around it."""

    @omium.effect(irreversible=True)
    def mail() -> str:
        return outside("mail")

    @omium.checkpoint("fails", recovery=ladder)
    def fails() -> None:
        raise ValueError("no")

    @omium.checkpoint("outer")
    def outer() -> None:
        try:
            fails()
        except Exception:
            mail()
        except:  # noqa: E722  # what users write
            mail()

    @omium.workflow(store=here.url)
    def flow() -> str:
        try:
            outer()
        except:  # noqa: E722  # what users write
            return mail()
        return mail()

    execution = flow.start(execution_id="one")
    assert execution.status in ("paused", "halted")
    assert outside.log == []


# ---- rollbacks


def test_what_an_unfinished_rollback_has_begun_to_undo_cannot_be_gone_back_to(here: Lab, outside: Outside) -> None:
    """A compensation failed for good; a resume goes on with it, and so does a rollback to there or before."""
    stuck = [True]

    def undo(value: str) -> None:
        if stuck and value == "b":
            raise ValueError("not now")
        outside(f"undo {value}")

    @omium.effect(undo=undo)
    def charge(what: str) -> str:
        return outside(what)

    @omium.workflow(store=here.url)
    def flow() -> list[str]:
        return [omium.checkpoint(name)(lambda name=name: charge(name))() for name in ("a", "b", "c")]

    flow.start(execution_id="one")
    assert omium.rollback("one", "a", by="ann", store=here.url).status == "paused"
    assert outside.net() == ["a", "b"]
    with pytest.raises(omium.RollbackRefused, match="is not finished"):
        omium.rollback("one", "c", by="ann", store=here.url)
    assert resumed(here, flow).status == "paused"
    stuck.clear()
    assert omium.rollback("one", "start", by="ann", store=here.url).status == "paused"
    assert outside.net() == []
    assert resumed(here, flow).result == ["a", "b", "c"]
    assert outside.net() == ["a", "b", "c"]
    assert omium.verify(store=here.url).ok


# ---- runners and stores


def test_a_fenced_runner_stops_and_compensates_nothing(here: Lab, outside: Outside) -> None:
    """Another runner takes over while the first one is inside an effect: the first one's next append ends it."""
    slow, taken = here.fate, []

    @omium.effect(undo=lambda value: outside(f"undo {value}"), check=lambda key: "charge")
    def charge() -> str:
        outside("charge")
        # The first runner is away here for longer than its lease, and comes back after the second one has finished.
        here.sleep()
        here.another()
        taken.append(flow.resume("one").result)
        return "charge"

    @omium.checkpoint("pay", recovery=RETRY)
    def pay() -> str:
        return charge()

    @omium.workflow(store=here.url)
    def flow() -> str:
        return pay()

    with pytest.raises(ExecutionFenced):
        flow.start(execution_id="one")
    assert not slow.dead
    assert taken == ["charge"]
    assert outside.log == ["charge"]
    assert here.state("one").status == "completed"
    assert omium.verify(store=here.url).ok


def test_a_journal_that_takes_nothing_more_stops_the_execution(here: Lab, outside: Outside) -> None:
    """The engine is ahead of the journal then, so user code must not be able to go on."""
    refused: list[bool] = []

    @omium.effect(irreversible=True)
    def mail() -> str:
        return outside("mail")

    @omium.checkpoint("first")
    def first() -> None:
        if not refused:
            here.store.journal.refusal = StoreError("the queue is full")  # type: ignore[attr-defined]  # a `SimJournal`
            refused.append(True)

    @omium.workflow(store=here.url)
    def flow() -> str:
        try:
            first()
        except Exception:
            outside("swallowed")
        return mail()

    with pytest.raises(StoreError, match="the queue is full"):
        flow.start(execution_id="one")
    assert outside.log == []
    assert resumed(here, flow).result == "mail"


def _run(found: Any) -> Any:
    async def whole() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return await found

    return asyncio.run(whole()) if asyncio.iscoroutine(found) else found
