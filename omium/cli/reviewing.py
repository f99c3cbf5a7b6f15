"""`omium review`: record what a person decided about a paused execution."""

from __future__ import annotations

import json
from typing import Any

import click

from omium import reviewing
from omium.cli.arguments import read_json
from omium.cli.facts import execution_facts
from omium.cli.hints import code_argument, command
from omium.cli.ids import short_id
from omium.cli.opening import existing
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output
from omium_core.errors import UsageError

__all__ = ["answer_text", "review", "set_value"]

_ANSWERS = {
    "edit": "--edit",
    "changes": "--set",
    "fix": "--fix",
    "choice": "--choice",
    "skip": "--skip",
    "reject": "--reject",
}


@click.command()
@places("ID")
@execution_option
@click.option("--approve", is_flag=True, help="One further attempt, or the first choice.")
@click.option("--edit", metavar="TEXT|@FILE", help="One further attempt, with this advice.")
@click.option("--set", "changes", metavar="PATH=VALUE", multiple=True, help="Correct the refused outcome.")
@click.option("--fix", metavar="N", type=click.IntRange(1), help="Take this fix, as `omium show` numbers them.")
@click.option("--always", is_flag=True, help="Give the advice to this step in later executions too; see `omium fixes`.")
@click.option("--choice", metavar="N", type=click.IntRange(0), help="Take this choice, as `omium show` numbers them.")
@click.option("--value", metavar="JSON", help="The value of an effect that happened.")
@click.option("--skip", is_flag=True, help="Go on without this outcome.")
@click.option("--reject", is_flag=True, help="Give up; the ladder's next rung is taken.")
@click.option("--by", metavar="WHO", required=True, help="Who decides; it is kept in the journal.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept in the journal.")
@click.option("--expected-head", metavar="H", help="Refuse the answer when the execution is not at this checkpoint.")
@common
@click.pass_obj
def review(output: Output, /, given: tuple[str, ...], execution_id: str | None, **answer: Any) -> None:
    """Answer what a paused execution asks. It only records; `omium resume` goes on."""
    (execution,) = fill(("id",), given, ("id",), id=execution_id)
    runtime = existing()
    row = runtime.store.find(execution)
    reviewing.review(row.id, **_given(answer))
    if output.as_json:
        output.data({"execution": execution_facts(runtime.store, row.id)})
        return
    output.note(f"recorded what {answer['by']} decided")
    output.next(command("resume", short_id(runtime.store, row.id), code_argument(row.workflow)))


def answer_text(given: str) -> str:
    """Return text, or what `@FILE` holds."""
    if not given.startswith("@"):
        return given
    try:
        with open(given[1:], encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the file `{given[1:]}` cannot be read: {reason}") from error


def set_value(given: str) -> tuple[str, Any]:
    """Return the path and the value of `PATH=VALUE`; a value that is not JSON is text."""
    path, mark, text = given.partition("=")
    if not mark or not path:
        raise UsageError(f"`{given}` is not of the form `PATH=VALUE`, such as `offer.output.apr=4.5`")
    try:
        return path, json.loads(text)
    except ValueError:
        return path, text


def _given(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer as `omium.review` takes it; raise `UsageError` unless it is exactly one."""
    chosen = [option for name, option in _ANSWERS.items() if not _absent(answer[name])]
    if len(chosen) > 1 or (answer["approve"] and chosen and chosen[0] in ("--skip", "--reject")):
        given = " and ".join(f"`{one}`" for one in (["--approve"] if answer["approve"] else []) + chosen)
        raise UsageError(f"{given} are different answers; give one")
    if not chosen and not answer["approve"]:
        raise UsageError("give an answer: `--approve`, `--edit`, `--set`, `--fix`, `--choice`, `--skip` or `--reject`")
    changes = dict(set_value(one) for one in answer["changes"]) or None
    return {
        "approve": answer["approve"] and not chosen,
        "reject": answer["reject"],
        "skip": answer["skip"],
        "edit": answer_text(answer["edit"]) if answer["edit"] is not None else None,
        "set": changes,
        "value": read_json(answer["value"], "--value") if answer["value"] is not None else None,
        "choice": answer["choice"],
        "fix": answer["fix"],
        "always": answer["always"],
        "by": answer["by"],
        "reason": answer["reason"],
        "expected_head": answer["expected_head"],
    }


def _absent(given: Any) -> bool:
    """Say whether an option was not given; the choice 0 and an empty text were."""
    return given is None or given is False or given == ()
