"""`omium recover`: what went wrong, the choices, the answer, and on it goes."""

from __future__ import annotations

from typing import Any

import click

from omium import operating
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output, interactive
from omium.cli.reviewing import set_value
from omium.cli.running import resume_execution
from omium.cli.tree import build_story, render
from omium_core.errors import UsageError
from omium_core.runtime.store import Store

__all__ = ["recover"]


@click.command()
@places("[ID] [FILE[:NAME]]")
@execution_option
@click.option("--code", metavar="FILE[:NAME]", help="The code of the workflow, instead of by place.")
@common
@click.pass_obj
def recover(output: Output, given: tuple[str, ...], execution_id: str | None, code: str | None) -> None:
    """Show what went wrong, ask what to do, and go on. By default the last execution that failed."""
    execution, file = fill(("id", "file"), given, id=execution_id, file=code)
    runtime = existing()
    row = runtime.store.find(execution or "@last-failed")
    state = runtime.store.load(row.id).state
    if state.review is not None and state.review.answer is None:
        _answer(output, runtime.store, row.id, state.review.request.seq)
    resume_execution(output, row.id, file, "recover")


def _answer(output: Output, store: Store, execution: str, asked: int) -> None:
    """Show the story and the question, and record what a person answers."""
    short = short_id(store, execution)
    if not interactive() or output.as_json:
        raise UsageError(f"nobody can be asked here; answer with `omium review {short} --approve --by WHO`")
    head = store.load(execution).state.head
    render(build_story(store, execution), output.console(), details=False)
    choices = store.view(execution, asked)["choices"]
    number = click.prompt("Choice", type=click.IntRange(0, len(choices) - 1), err=True)
    answer = _content(choices[number]["action"], number)
    by = click.prompt("Who decides", err=True)
    reason = click.prompt("Why", default="", show_default=False, err=True)
    operating.review(execution, by=by, reason=reason, expected_head=head, **answer)


def _content(action: str, number: int) -> dict[str, Any]:
    """Ask for what an action needs beside its number."""
    if action == "edit":
        return {"edit": click.prompt("Your advice", err=True)}
    if action == "set":
        return {"set": dict([set_value(click.prompt("Set PATH=VALUE, such as offer.output.apr=4.5", err=True))])}
    if action == "happened":
        given = click.prompt("Its value as JSON", default="null", err=True)
        return {"choice": number, "value": set_value(f"value={given}")[1]}
    return {"choice": number}
