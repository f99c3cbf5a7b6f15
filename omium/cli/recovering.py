"""`omium recover`: what went wrong, what can be done and what that leads to, the answer, and on it goes."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Any

import attrs
import click

from omium import operating, reviewing
from omium.cli.code import code_of
from omium.cli.consequences import consequences
from omium.cli.facts import row_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import PIPE_COLUMNS, Output, interactive
from omium.cli.planning import plan_rollback
from omium.cli.reviewing import set_value
from omium.cli.running import resume_execution
from omium.cli.story import Node
from omium.cli.tree import build_story, render
from omium.cli.wording import clean, review_texts, steps_text, value_text
from omium_core.engine.state import ExecutionState, Review
from omium_core.errors import UsageError
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.model.fix import ADVICE
from omium_core.recovery.catalog import Tally
from omium_core.runtime.store import Store

__all__ = ["recover"]

# So often a person may take an answer back before it is recorded.
ANSWERS_MAX = 100
COLUMNS = 80
_EVIDENCE = {"stands": "was done", "asked": "is asked for now", "request": "was begun"}


@click.command()
@places("[ID] [FILE[:NAME]]")
@execution_option
@click.option("--code", metavar="FILE[:NAME]", help="The code of the workflow, instead of by place.")
@common
@click.pass_obj
def recover(output: Output, given: tuple[str, ...], execution_id: str | None, code: str | None) -> None:
    """Show what went wrong and what can be done, ask, and go on. By default the last execution that failed.

    It needs a terminal. Without one, `omium show` tells what can be done, `omium review` answers, and `omium resume`
    goes on.
    """
    execution, file = fill(("id", "file"), given, id=execution_id, file=code)
    runtime = existing()
    row = runtime.store.find(execution or "@last-failed")
    state = runtime.store.load(row.id).state
    if state.status == "completed":
        _nothing(output, runtime.store, row)
        return
    asks = state.review is not None and state.review.answer is None
    if asks or state.status == "halted":
        _check_terminal(output, runtime.store, state)
        # Nobody should decide and only then be told that the code is missing.
        code_of(runtime, row.id, row.workflow, file, "recover")
        if asks:
            _Dialogue(output, runtime.store, state).answer()
        else:
            _go_back(output, runtime.store, state)
    resume_execution(output, row.id, file, "recover")


def _nothing(output: Output, store: Store, row: ExecutionRow) -> None:
    short = short_id(store, row.id)
    if output.as_json:
        output.data({"execution": row_facts(store, row)})
        return
    click.echo(f"{short} is completed; there is nothing to recover")
    output.next(command("show", short))


def _check_terminal(output: Output, store: Store, state: ExecutionState) -> None:
    if interactive() and not output.as_json:
        return
    short, code = short_id(store, state.id), code_argument(state.workflow)
    look, go_on = command("show", short), command("resume", short, code)
    if state.status == "halted":
        back = command("rollback", short, "CHECKPOINT", code, "--yes")
        raise UsageError(
            f"nobody can be asked here; `{short}` is halted: `{back}` goes back "
            f"(`{command('checkpoints', short)}` lists them), and `{go_on}` goes on from there"
        )
    answer = command("review", short, "--approve", "--by", "WHO")
    raise UsageError(
        f"nobody can be asked here; answer with `{answer}`, or with `--fix N`, `--edit`, `--set`, `--choice N`, "
        f"`--skip` or `--reject` as `{look}` lists them, and go on with `{go_on}`"
    )


@attrs.frozen(eq=False)
class _Dialogue:
    """A question to a person at a terminal: what went wrong, the choices, and one answer."""

    output: Output
    store: Store
    state: ExecutionState

    @property
    def review(self) -> Review:
        """What is asked."""
        assert self.state.review is not None
        return self.state.review

    def answer(self) -> None:
        """Show all there is to know, take an answer, and record it once the person has confirmed it."""
        asked = self.review.request
        body = self.store.view(self.state.id, asked.seq)
        self._show_story()
        self._show_failure(body)
        click.echo("\nWhat can be done")
        # What is suggested comes first, under the number that it has everywhere.
        for number, choice in sorted(enumerate(body["choices"]), key=lambda one: one[1]["action"] != "fix"):
            self._show_choice(number, choice)
        click.echo()
        for _ in range(ANSWERS_MAX):
            number = click.prompt("Choice", type=_number(len(body["choices"])), err=True)
            choice = body["choices"][number]
            given = self._given(choice, number)
            self._preview(choice, given)
            by = click.prompt("Who decides", err=True)
            reason = click.prompt("Why", default="", show_default=False, err=True)
            if click.confirm("Record this and go on", default=True, err=True):
                reviewing.review(self.state.id, by=by, reason=reason, expected_head=self.state.head, **given)
                return
        raise click.Abort

    def _show_story(self) -> None:
        story = build_story(self.store, self.state.id)
        # The choices are shown below, with all that is known of them.
        render(
            attrs.evolve(story, nodes=tuple(map(_without_choices, story.nodes))), self.output.console(), details=False
        )

    def _show_failure(self, body: dict[str, Any]) -> None:
        asked, evidence = self.review.request, body.get("evidence") or {}
        click.echo("\nWhat went wrong")
        attempt = f", attempt {asked.attempt}" if asked.attempt else ""
        _say(f"{'; '.join(review_texts(asked, body))} ({asked.kind}{attempt})")
        for one in evidence.get("diagnosis") or ():
            _say(str(one.get("text", "")))
        for name, words in _EVIDENCE.items():
            if evidence.get(name) is not None:
                _say(f"{words}: {value_text(evidence[name])}")
        if evidence.get("value") is not None:
            _say(f"refused: {value_text(evidence['value'])}")

    def _show_choice(self, number: int, choice: dict[str, Any]) -> None:
        kind, change, lines = self._known(choice)
        _say(choice["label"], 12, lead=f"  {number} {clean(choice['action']).ljust(7)} ")
        for line in (*lines, *consequences(self.state, self.review.request, kind, change)):
            _say(line, 12)

    def _known(self, choice: dict[str, Any]) -> tuple[str, Any, list[str]]:
        """Return what a choice does, what it changes, and what is known of it where it is a fix."""
        if choice["action"] != "fix":
            return choice["action"], None, []
        seq = self.review.suggestions[choice["fix"]]
        body = self.store.view(self.state.id, seq)
        made = next(one for one in self.store.events(self.state.id) if one.seq == seq)
        known = Tally(getattr(made, "worked", 0), getattr(made, "tried", 0)).text
        return body["kind"], body["change"], [known, *(f"because {one}" for one in body["evidence"])]

    def _given(self, choice: dict[str, Any], number: int) -> dict[str, Any]:
        """Ask for what a choice needs beside its number."""
        match choice["action"]:
            case "edit":
                advice = click.prompt("Your advice", err=True)
                return {"edit": advice, "always": self._always()}
            case "set":
                asked = "Set PATH=VALUE, such as offer.output.apr=4.5"
                return {"set": dict([set_value(click.prompt(asked, err=True))])}
            case "happened":
                value = click.prompt("Its value as JSON", default="null", err=True)
                return {"choice": number, "value": set_value(f"value={value}")[1]}
            case "fix" if self._known(choice)[0] in ADVICE:
                return {"fix": choice["fix"], "always": self._always()}
        return {"choice": number}

    def _always(self) -> bool:
        asked = f"Tell it to later executions of `{clean(self.state.workflow)}` too"
        return click.confirm(asked, default=False, err=True)

    def _preview(self, choice: dict[str, Any], given: dict[str, Any]) -> None:
        """Say what is recorded, and what comes of it."""
        kind, change, _ = self._known(choice)
        shown = {name: one for name, one in given.items() if name in ("edit", "set", "value")}
        what = "; ".join(f"{name}: {value_text(one)}" for name, one in shown.items()) or choice["label"]
        _say(f"This records `{choice['action']}`: {what}", lead="", err=True)
        for line in consequences(self.state, self.review.request, kind, change):
            _say(line, err=True)
        if given.get("always"):
            _say("it also reaches later executions, until `omium fixes --revoke` ends that", err=True)


def _go_back(output: Output, store: Store, state: ExecutionState) -> None:
    """Ask to which checkpoint a halted execution goes back, show what that does, and do it."""
    points = state.path_to_head()
    render(build_story(store, state.id), output.console(), details=False)
    click.echo("\nWhat went wrong")
    _say(f"halted: {state.reason}")
    for found in _last_diagnosis(store, state):
        _say(found)
    click.echo("\nWhat can be done: go back to a checkpoint, and on from there")
    for number, point in enumerate(points):
        dropped = [one.step for one in points[number + 1 :]]
        _say(f"{number} {point.name}: {f'done again: {steps_text(*dropped)}' if dropped else 'nothing is dropped'}")
    click.echo()
    number = click.prompt("Checkpoint", type=_number(len(points)), default=len(points) - 1, err=True)
    for line in plan_rollback(state, points[number]).lines():
        _say(line, 4, lead="  ", err=True)
    by = click.prompt("Who decides", err=True)
    reason = click.prompt("Why", default="", show_default=False, err=True)
    if not click.confirm("Roll back and go on", err=True):
        raise click.Abort
    operating.rollback(state.id, points[number].id, reason=reason, by=by)


def _last_diagnosis(store: Store, state: ExecutionState) -> list[str]:
    """Return what was found about the failure that came last."""
    failures = [one.failure for one in state.steps.values() if one.failure is not None]
    if not failures:
        return []
    last = max(failures, key=lambda one: one.seq)
    body = store.view(state.id, last.seq)
    return [str(one.get("text", "")) for one in body.get("diagnosis") or ()]


def _without_choices(node: Node) -> Node:
    return attrs.evolve(node, children=tuple(one for one in node.children if one.kind != "choice"))


def _number(count: int) -> click.IntRange:
    """Return the numbers from 0 that a choice may have, under a name that people have for them."""
    numbers = click.IntRange(0, count - 1)
    numbers.name = "whole number"
    return numbers


def _say(text: str, indent: int = 2, *, lead: str | None = None, err: bool = False) -> None:
    """Print a sentence after `lead`, folded at a terminal so that its further lines stand below its first."""
    first, rest = " " * indent if lead is None else lead, " " * indent
    terminal = (sys.stderr if err else sys.stdout).isatty()
    # A terminal that does not know its width says 0, which Python 3.10 passes on.
    width = (shutil.get_terminal_size().columns or COLUMNS) if terminal else PIPE_COLUMNS
    lines = textwrap.wrap(clean(text), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    click.echo("\n".join(lines), err=err)
