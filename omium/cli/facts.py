"""Executions as commands print them with `--json`; times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import attrs

from omium.cli.story import Node, Story
from omium_core.engine.state import CheckpointRecord
from omium_core.interfaces.checkpoint import ExecutionRow
from omium_core.runtime.store import Store

__all__ = ["checkpoint_facts", "execution_facts", "iso", "result_of", "row_facts", "status_text", "story_facts"]


def iso(at: float | None) -> str | None:
    """Return a time in seconds as ISO 8601."""
    return None if at is None else datetime.fromtimestamp(at, timezone.utc).isoformat()


def row_facts(store: Store, row: ExecutionRow) -> dict[str, Any]:
    """Return what the list of executions says of one."""
    return {
        "id": row.id,
        "workflow": row.workflow,
        "status": status_text(store, row),
        "started": iso(row.started),
        "ended": iso(row.ended),
        "duration_s": None if row.ended is None else round(row.ended - row.started, 3),
    }


def status_text(store: Store, row: ExecutionRow) -> str:
    """Return the status; `interrupted` where it says running, but its runner is dead."""
    unfinished = row.status in ("running", "recovering")
    here = row.id in store.running
    if unfinished and not here and (row.runner is None or not store.journal.is_alive(row.runner)):
        return "interrupted"
    return row.status


def execution_facts(store: Store, execution: str) -> dict[str, Any]:
    """Return what is known of one execution."""
    state = store.load(execution).state
    row = store.find(execution)
    return {
        **row_facts(store, row),
        "reason": state.reason,
        "head": state.head,
        "checkpoints": [checkpoint_facts(one) for one in state.path_to_head()],
        "result": result_of(store, execution),
    }


def checkpoint_facts(point: CheckpointRecord, *, standing: bool = True) -> dict[str, Any]:
    """Return what is known of a checkpoint; `standing`: it is on the way to the head."""
    return {
        "id": point.id,
        "name": point.name,
        "step": point.step,
        "agent": point.agent,
        "parent": point.parent,
        "root": point.outcomes.root,
        "at": iso(point.at),
        "standing": standing,
    }


def result_of(store: Store, execution: str) -> Any:
    """Return what the workflow returned, as plain data; None before that."""
    seq = store.load(execution).state.result_seq
    return store.view(execution, seq) if seq else None


def story_facts(story: Story) -> dict[str, Any]:
    """Return a story as plain data."""
    data = attrs.asdict(story, recurse=False)
    data["counts"] = attrs.asdict(story.counts)
    data["started"], data["ended"] = iso(story.started), iso(story.ended)
    data["nodes"], data["loose"] = [_node(one) for one in story.nodes], [_node(one) for one in story.loose]
    return data


def _node(node: Node) -> dict[str, Any]:
    data = attrs.asdict(node, recurse=False)
    data["at"] = iso(node.at) if node.at else None
    data["children"] = [_node(one) for one in node.children]
    return data
