"""`omium run` and `omium resume`: execute a workflow to its end or its next pause, and say how it ended."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import click

from omium import workflows
from omium.cli.arguments import arguments
from omium.cli.code import code_of, declared
from omium.cli.facts import execution_facts, result_of
from omium.cli.hints import command
from omium.cli.ids import short_id
from omium.cli.opening import existing, warn_of_configuration
from omium.cli.options import common, execution_option, fill, places
from omium.cli.output import Output
from omium.cli.progress import progress, quiet_stdout
from omium.cli.status import FAILED, HALTED, PAUSED
from omium.cli.tree import build_story, render
from omium.cli.wording import clean, value_text
from omium.running import check_id
from omium.runtime import Runtime, runtime_for
from omium_core.engine.life import End
from omium_core.model import events as e
from omium_core.recovery.detectors import where_of
from omium_core.runtime.clock import new_id
from omium_core.runtime.declarations import WorkflowDeclaration

__all__ = ["resume", "resume_execution", "run"]


@click.command()
@click.argument("code", metavar="FILE[:NAME]", type=click.Path())
@click.option("--input", "given", metavar="JSON|@FILE", help="The workflow's arguments by name, or its only one.")
@click.option("--execution-id", metavar="ID", help="The id of the new execution.")
@common
@click.pass_obj
def run(output: Output, code: str, given: str | None, execution_id: str | None) -> None:
    """Run a workflow from a file or module as a new execution."""
    warn_of_configuration()
    with quiet_stdout(output):
        declaration = declared(code)
    kwargs = arguments(declaration, given)
    runtime = runtime_for(declaration.options.get("store"))
    execution = new_id("exe_", runtime.store.clock.now()) if execution_id is None else check_id(execution_id)
    stay = _Stay(output, runtime, execution, declaration, code)
    stay.go(
        lambda: workflows.run(runtime, declaration, (), kwargs, execution),
        lambda: workflows.arun(runtime, declaration, (), kwargs, execution),
    )


@click.command()
@places("ID [FILE[:NAME]]")
@execution_option
@click.option("--code", metavar="FILE[:NAME]", help="The code of the workflow, instead of by place.")
@common
@click.pass_obj
def resume(output: Output, given: tuple[str, ...], execution_id: str | None, code: str | None) -> None:
    """Go on with an execution. Finished steps, and their effects, are not done again."""
    execution, file = fill(("id", "file"), given, ("id",), id=execution_id, file=code)
    resume_execution(output, execution, file, "resume")


def resume_execution(output: Output, execution: str, code: str | None, typed: str) -> None:
    """Go on with an execution in this process, and leave with the status that it ended with."""
    runtime = existing()
    row = runtime.store.find(execution)
    with quiet_stdout(output):
        declaration = code_of(runtime, row.id, row.workflow, code, typed)
    stay = _Stay(output, runtime, row.id, declaration, code)
    stay.go(
        lambda: workflows.resume(runtime, row.id, declaration),
        lambda: workflows.aresume(runtime, row.id, declaration),
    )


@attrs.frozen(eq=False)
class _Stay:
    """One stay of this process in an execution's code."""

    output: Output
    runtime: Runtime
    execution: str
    declaration: WorkflowDeclaration
    code: str | None

    def go(self, sync: Callable[[], tuple[str, End]], asynchronous: Callable[[], Any]) -> None:
        """Execute, print how it ended, and leave with the exit status for that."""
        try:
            with quiet_stdout(self.output), progress(self.output, self.runtime.store, self.execution):
                is_async = inspect.iscoroutinefunction(self.declaration.fn)
                _, end = asyncio.run(asynchronous()) if is_async else sync()
        except KeyboardInterrupt:
            if self.runtime.store.journal.execution(self.execution) is None:
                self.output.note("nothing was recorded yet; run it again")
            else:
                self.output.next(self._again("resume"))
            raise
        if end.kind == "failed" and end.error is not None:
            raise end.error
        self._conclude(end)
        click.get_current_context().exit(self._status(end))

    def _conclude(self, end: End) -> None:
        output, store = self.output, self.runtime.store
        if output.traceback and end.error is not None:
            traceback.print_exception(type(end.error), end.error, end.error.__traceback__)
        if output.as_json:
            story = build_story(store, self.execution)
            counts = {"summary": story.summary, "counts": attrs.asdict(story.counts)}
            output.data({"execution": execution_facts(store, self.execution), **counts})
            return
        render(build_story(store, self.execution), output.console(), details=False)
        if end.kind == "completed":
            output.console().print(f"Result: {value_text(result_of(store, self.execution))}", soft_wrap=True)
        elif end.kind == "halted":
            where = where_of(end.error) if end.error is not None else None
            output.note(clean(f"error: halted: {end.reason}{f' ({where})' if where else ''}"))
        self._name_next(end)

    def _name_next(self, end: End) -> None:
        short = short_id(self.runtime.store, self.execution)
        if end.kind == "paused":
            asked = self.runtime.store.load(self.execution).state.review
            waits = asked is not None and asked.answer is None
            self.output.next(self._again("recover" if waits else "resume"), command("show", short))
        else:
            self.output.next(command("show", short))

    def _again(self, how: str) -> str:
        return command(how, short_id(self.runtime.store, self.execution), self.code)

    def _status(self, end: End) -> int:
        if end.kind == "paused":
            return PAUSED
        if end.kind != "halted":
            return 0
        halts = [one for one in self.runtime.store.events(self.execution) if isinstance(one, e.ExecutionHalted)]
        # A ladder or a blocking rule halts at a step, a person says who; an exception that nothing took is the
        # workflow's own failure.
        return HALTED if halts[-1].step is not None or halts[-1].by else FAILED
