"""`omium demo`: a loan onboarding in which a model makes something up, run for real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from omium.cli.options import common
from omium.cli.output import Output
from omium.cli.status import FAILED, HALTED, PAUSED
from omium_core.errors import UsageError

if TYPE_CHECKING:
    from omium.cli.story import Story

__all__ = ["demo"]

FRAMEWORKS = ("plain", "langgraph", "crewai", "autogen")
_STATUS = {"completed": 0, "paused": PAUSED, "halted": HALTED}


@click.command()
@click.option(
    "--fail",
    type=click.Choice(["once", "hard"]),
    default="once",
    show_default=True,
    help="Whether the model learns from what it did wrong, or needs a person.",
)
@click.option(
    "--framework",
    type=click.Choice(FRAMEWORKS),
    default="plain",
    show_default=True,
    help="What the agents are made of.",
)
@common
@click.pass_obj
def demo(output: Output, fail: str, framework: str) -> int:
    """See a workflow recover. Four agents, a model that makes something up, one e-mail.

    It runs in the configured store, against a scripted model on this machine: no key, no account, no network.
    """
    if framework != "plain":
        raise UsageError(
            f"the demo on `{framework}` needs its adapter (the extra `omium[{framework}]`), "
            f"which this version does not have; `omium demo` shows the same story on plain Python"
        )
    # They are imported here because nobody else on the command line needs them.
    from omium.cli.tree import build_story, render
    from omium.demo import script
    from omium.demo.onboarding import Application, onboard
    from omium.runtime import runtime_for

    model = script.STUBBORN if fail == "hard" else script.CARELESS
    execution = onboard.start(Application("A. Rao", "rao@example.com", 72_000, model=model))
    story = build_story(runtime_for().store, execution.id)
    status = _STATUS.get(story.status, FAILED)
    if output.as_json:
        output.data({"exit_status": status, **story.as_data()})
        return status
    render(story, output.console(), details=False)
    if story.status == "paused":
        _say_how_to_answer(output, story)
    else:
        output.next(f"omium show {story.short}")
    return status


def _say_how_to_answer(output: Output, story: Story) -> None:
    """Say what a person can type; each line works as it stands, in any process."""
    review, answered = f"omium review {story.short} --approve", '--by you --reason "the licence"'
    recover = f"omium recover {story.short}"
    output.note(f"The model does not learn this by itself. `{recover}` asks you what to do; or answer, then resume:")
    output.note(f"  {review} --fix 1 {answered}")
    output.note(f'  {review} --edit "Stay between 2.5% and 8.5%." {answered}')
    output.note(f"  {review} --set offer.output.apr=4.5 {answered}")
    output.next(f"omium resume {story.short}")
