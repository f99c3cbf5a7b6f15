"""Scenarios of both forms: what they play, what they check, and what they say when something is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import omium
from omium import checkpoint, effect, workflow
from omium.cli.code import declared
from omium.testing import ScriptedFailure, Stage, scenarios_in
from omium.testing.scenarios.playing import play, play_file
from omium.testing.scenarios.stage import staged

HERE = Path(__file__).parent
SCENARIOS = HERE.parent / "scenarios"
SELLING = declared(str(HERE / "selling.py"))


@pytest.fixture(autouse=True)
def nothing_given() -> None:
    """Executions have the same ids in every scenario, so what one handed over must not be found by the next."""
    sys.modules["selling"].given.clear()


@contextmanager
def selling(item: str = "a map", price: float = 12.5) -> Iterator[Stage]:
    """A stage for the sale, with what everybody gives it."""
    with staged(SELLING) as stage:
        stage.input(item)
        stage.answer("ask_price", price)
        yield stage


@pytest.mark.parametrize("scenario", scenarios_in("selling"), ids=lambda one: one.name)
def test_scenarios_in_python(scenario: omium.testing.Scenario) -> None:
    """Each scenario of the module holds, called as a test calls it."""
    scenario()


def test_the_stories_are_there() -> None:
    """The recoveries are told as stories, each with what came of it; the plugin plays them."""
    stories = sorted(SCENARIOS.glob("*.scenario"))

    assert len(stories) >= 10
    assert all(story.read_text(encoding="utf-8").startswith("# ") for story in stories)
    assert all("\n----\n" in story.read_text(encoding="utf-8") for story in stories)


@pytest.mark.parametrize("write", range(1, 14))
def test_a_death_at_every_write(write: int) -> None:
    """Wherever the process dies, the next ones finish, the ticket is handed over once, and nothing is taken twice."""
    with selling() as stage:
        stage.kill(write=write)
        stage.run()
        if stage.ended is not None and stage.ended.kind == "killed":
            go_on(stage)
        stage.expect(
            status="completed", result="here is a map", effects={"take_money": 1, "hand_over": 1}, violations=0
        )
        # What was asked for and not answered was found not to have happened, by the check or by the person.
        assert sum(line.startswith("hand_over") for line in stage.performed) <= 1
        assert stage.runtime.store.journal.check() == []


def go_on(stage: Stage) -> None:
    """Resume until it is done; where a person is asked, money was taken when the world says so."""
    if stage.runtime.store.journal.execution(stage.execution_id) is None:
        stage.run()
        return
    ended = stage.resume()
    if ended.kind == "paused":
        taken = any(line.startswith("take_money") for line in stage.performed)
        stage.review(choice=0 if taken else 1, value="took 12.5" if taken else None, by="ann")
        stage.resume()


def test_expect_says_all_that_is_wrong() -> None:
    """A failed expectation names everything that is not as expected, one sentence each."""
    with selling() as stage, pytest.raises(AssertionError) as found:
        stage.expect(
            status="paused",
            result="nothing",
            steps=["priced"],
            effects={"hand_over": 2},
            violations=["a price"],
            recoveries=1,
            performed={"take_money": 0},
        )

    assert str(found.value).splitlines() == [
        "the status is `completed`, expected `paused`",
        "the result is here is a map, expected nothing",
        "the steps on the way to the head are `priced`, `paid`, `handed`, expected `priced`",
        "`hand_over` is standing 1 times, expected 2",
        "`take_money` is performed 1 times, expected 0",
        "the violations are none, expected `a price`",
        "there are 0 recoveries (none), expected 1",
    ]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda s: s.answer("priecd", 1), "nothing is declared as `priecd`; did you mean `priced`?"),
        (lambda s: s.answer("priced"), "`priced` needs at least one answer"),
        (lambda s: s.answer("priced", {"amuont": 1}), "the answer of `priced`"),
        (lambda s: s.fail("undo take_mony"), "did you mean `take_money`?"),
        (lambda s: s.kill(), "one of `write=`, `before=` and `after=`"),
        (lambda s: s.kill(write=1, after="priced"), "one of `write=`, `before=` and `after=`"),
        (lambda s: s.kill(write=0), "writes are counted from 1"),
        (lambda s: s.advance("soon"), "soon"),
    ],
)
def test_a_wrong_script_is_refused(wrong: Callable[[Stage], None], sentence: str) -> None:
    """What names nothing, or says nothing, is refused at once in one sentence."""
    with selling() as stage, pytest.raises(omium.UsageError) as found:
        wrong(stage)

    assert sentence in str(found.value)


def test_what_never_comes_is_a_failure() -> None:
    """A death or a failure that was arranged for and never came shows nothing, and says so."""
    with selling() as stage:
        stage.kill(write=99)
        stage.fail("handed", at=[2, 3], kind="timeout")
        stage.fail("paid", at=1)
        with pytest.raises(omium.UsageError, match="is to die before write 99 already"):
            stage.kill(before="paid")
        stage.run()
        assert stage.unmet() == [
            "the process was to die before write 99, and did not",
            "`handed` was to fail in attempt 2, and never came to it",
            "`handed` was to fail in attempt 3, and never came to it",
        ]


def test_async_workflows_are_played() -> None:
    """What is async is played the same way: answers, failures, deaths; also from code that is in a loop itself."""

    @effect(irreversible=True, check=lambda key: omium.NOT_DONE)
    async def shout(text: str) -> str:
        return text.upper()

    @checkpoint("loudly", recovery=omium.Recovery(omium.Retry(1), omium.Halt()))
    async def loudly(text: str) -> str:
        return await shout(text)

    @workflow
    async def shouting(text: str) -> str:
        return await loudly(text)

    async def in_a_loop() -> None:
        with staged(shouting.__omium__) as stage:
            stage.input("hey")
            stage.fail("loudly", at=1)
            stage.kill(before="shout")
            assert stage.run().kind == "killed"
            assert stage.resume().value == "HEY"
            stage.expect(recoveries=["retry"], performed={"shout": 1})

    import asyncio

    asyncio.run(in_a_loop())


def test_failures_are_of_their_kind() -> None:
    """A failure that is made to happen has the kind and the words that were given, and is in the record."""
    with selling() as stage:
        stage.fail("paid", kind="budget_exceeded", error="no money left")
        ended = stage.run()
        assert (ended.kind, ended.text) == ("halted", "no money left")
        stage.fail("paid", error=KeyError("till"))

    failure = ScriptedFailure("no money left", "budget_exceeded")
    assert (str(failure), failure.failure_kind) == ("no money left", "budget_exceeded")


def test_the_configured_store_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario leaves nothing behind, and user code that opens the configured store gets the scenario's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "omium.toml").touch()
    seen: list[str] = []

    @workflow
    def looking() -> None:
        seen.append(omium.runtime_for().store.url)

    with staged(looking.__omium__) as stage:
        stage.run()
        assert seen == [stage.store]
        folder = stage.folder

    assert not folder.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["omium.toml"]


def test_declaring_scenarios(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios are known by their names within a module; two of one name, or none, are refused."""
    monkeypatch.delitem(globals(), "__omium_scenarios__", raising=False)

    @omium.scenario("one", workflow=SELLING.fn)
    def first(s: Stage) -> None:
        s.input("a map")

    assert scenarios_in(sys.modules[__name__]) == [first]
    assert play(first).problem == "`workflow=` of scenario `one` is neither a workflow nor a step"

    with pytest.raises(omium.UsageError, match="there are two scenarios `one`"):

        @omium.scenario("one")
        def second(s: Stage) -> None: ...

    with pytest.raises(omium.UsageError, match=r'write `@scenario\("third"\)`'):

        @omium.scenario
        def third(s: Stage) -> None: ...

    with pytest.raises(omium.UsageError, match="needs a name"):
        omium.scenario(" ")

    @omium.scenario("nothing", workflow=sys.modules["selling"].sell)
    def nothing(s: Stage) -> None:
        s.input("a map")

    assert play(nothing).problem == "the scenario never runs its workflow"

    @omium.scenario("raises", workflow=sys.modules["selling"].sell)
    def raises(s: Stage) -> None:
        raise LookupError("in the scenario itself")

    played = play(raises)
    assert played.problem == "LookupError: in the scenario itself"
    assert played.where.startswith("test_scenarios.py:")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("shwo", "there is no command `shwo`; did you mean `show`?"),
        ("show everything", "`show` takes `details` or nothing, not `everything`"),
        ("run fast", "the command does not fit: too many positional arguments"),
        ("kill at=3", "the command does not fit: got an unexpected keyword argument 'at'"),
        ("review happily by=ann", "got an unexpected keyword argument 'happily'"),
        ("fail priced at=1 2", "by place after what is given by name"),
        ("answer priced {oops", "is not JSON"),
        ("input 3", "`$.item` of the input is not text"),
        ("workflow nowhere.py", "there is no file `nowhere.py`"),
    ],
)
def test_a_wrong_line_is_refused(tmp_path: Path, line: str, sentence: str) -> None:
    """A line that is no command names the file, the line and what it should be, also with `rewrite`."""
    story = tmp_path / "wrong.scenario"
    story.write_text(f"# A sale.\n\nworkflow {HERE}/selling.py\n\n{line}\n")
    before = story.read_text()

    problem = play_file(story, rewrite=True).problem

    assert problem.startswith("wrong.scenario:5: ")
    assert sentence in problem
    assert story.read_text() == before


def test_rewriting_changes_only_what_came(tmp_path: Path) -> None:
    """Comments, commands and empty lines stay; missing output is written, output that did not come goes."""
    story = tmp_path / "sale.scenario"
    story.write_text(
        f'# A sale.\n\nworkflow {HERE}/selling.py\ninput "a map"\nanswer ask_price 2\n----\nthis does not come\n\n\n'
        "# What comes of it.\n\nrun\nstatus\n\n# Nothing is said after this.\n"
    )

    assert play_file(story).problem
    assert play_file(story, rewrite=True).rewritten
    assert not play_file(story, rewrite=True).rewritten
    assert not play_file(story).problem

    assert story.read_text() == (
        f'# A sale.\n\nworkflow {HERE}/selling.py\ninput "a map"\nanswer ask_price 2\n\n\n'
        "# What comes of it.\n\nrun\nstatus\n----\ncompleted: here is a map\ncompleted\n\n"
        "# Nothing is said after this.\n"
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# Nothing.\n", f"workflow {HERE}/selling.py\n"])
def test_a_story_without_a_run_is_none(tmp_path: Path, text: str) -> None:
    """A file that runs nothing is a mistake, not a success, also with `rewrite`."""
    story = tmp_path / "empty.scenario"
    story.write_text(text)

    assert play_file(story, rewrite=True).problem == "the scenario never runs its workflow"
    assert story.read_text() == text


def test_rubbish_is_no_scenario(tmp_path: Path) -> None:
    """A file that is no text, or is not there, is a problem of its own."""
    rubbish = tmp_path / "rubbish.scenario"
    rubbish.write_bytes(b"\xff\xfe\x00run")

    assert "it is not UTF-8" in play_file(rubbish).problem
    assert "no such file" in play_file(tmp_path / "none.scenario").problem


def test_a_step_is_given_its_input_by_name(tmp_path: Path) -> None:
    """A step that is run alone gets plain data as what its parameters are annotated with, like a workflow."""
    story = tmp_path / "paid.scenario"
    head = f'# A step alone.\n\nworkflow {HERE}/selling.py:paid\ninput {{"price": {{"amount": 3}}}}\n\nrun\n'
    story.write_text(f"{head}----\ncompleted: took 3.0\n")

    assert play_file(story).problem == ""


def test_a_fallback_goes_by_its_own_name() -> None:
    """Answers for a step are not those of the step that stands in for it."""

    @checkpoint("by_the_rules")
    def by_the_rules(item: str) -> str:
        return "as the rules say"

    @checkpoint("by_the_model", recovery=omium.Recovery(omium.Fallback("by_the_rules"), omium.Halt()))
    def by_the_model(item: str) -> str:
        raise AssertionError("the scenario says what happens here")

    @workflow
    def deciding(item: str) -> str:
        return by_the_model(item)

    with staged(deciding.__omium__) as stage:
        stage.input("a map")
        stage.fail("by_the_model", kind="timeout")
        stage.answer("by_the_model", "as the model says")
        stage.expect(result="as the rules say", recoveries=["fallback"])


def test_what_failed_was_not_done() -> None:
    """`performed` counts what was done; what failed is told, and not counted."""
    with selling() as stage:
        stage.fail("take_money", kind="not_done", error="the card was declined")
        stage.run()
        stage.expect(status="halted", performed={"take_money": 0, "ask_price": 1}, effects={"take_money": 0})
        assert stage.performed[-1] == "take_money(amount=12.5) failed: the card was declined"
