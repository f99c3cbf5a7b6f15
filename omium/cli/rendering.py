"""A story as a tree in a terminal; rich is imported when it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omium.cli.story import Mark, Node, Story
from omium.cli.wording import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["render"]

_UNICODE: dict[Mark, str] = {
    "ok": "✔",
    "failed": "✘",
    "open": "…",
    "skipped": "↷",
    "back": "↩",
    "undone": "↶",
    "unsure": "?",
    "paused": "‖",
    "resumed": "▸",
    "halted": "■",
    "note": "·",
}
_ASCII: dict[Mark, str] = {
    "ok": "+",
    "failed": "x",
    "open": "~",
    "skipped": "/",
    "back": "<",
    "undone": "<",
    "unsure": "?",
    "paused": "=",
    "resumed": ">",
    "halted": "#",
    "note": "-",
}
_STYLES: dict[Mark, str] = {
    "ok": "green",
    "failed": "red",
    "open": "yellow",
    "skipped": "yellow",
    "back": "cyan",
    "undone": "cyan",
    "unsure": "bold yellow",
    "paused": "bold yellow",
    "resumed": "cyan",
    "halted": "bold red",
    "note": "dim",
}
_GAP = "   "


def render(story: Story, console: Console, *, details: bool = True) -> None:
    """Print a story as a tree and its summary; without `details` only what a reader needs at a glance."""
    from rich.text import Text
    from rich.tree import Tree

    ascii_only = not console.encoding.lower().startswith("utf")
    title = Text.assemble((clean(story.workflow), "bold"), "  ", (clean(story.short), "dim"))
    tree = Tree(title, guide_style="dim")
    _grow(tree, (*story.nodes, *story.loose), details, ascii_only)
    console.print(tree)
    style = {"completed": "green", "paused": "bold yellow", "halted": "bold red"}.get(story.status, "yellow")
    console.print(Text(clean(story.summary), style))


def _grow(tree: Tree, nodes: tuple[Node, ...], details: bool, ascii_only: bool) -> None:
    shown = [one for one in nodes if details or not one.detail]
    in_columns = [one for one in shown if _in_columns(one)]
    label_width = max((len(clean(one.label)) for one in in_columns), default=0)
    agent_width = max((len(clean(one.agent or "")) for one in in_columns), default=0)
    for one in shown:
        branch = tree.add(_line(one, label_width, agent_width, details, ascii_only))
        _grow(branch, one.children, details, ascii_only)


def _line(node: Node, label_width: int, agent_width: int, details: bool, ascii_only: bool) -> Text:
    from rich.text import Text

    glyph = (_ASCII if ascii_only else _UNICODE)[node.mark]
    parts: list[tuple[str, str]] = []
    if node.agent is not None:
        parts.append((clean(node.agent).ljust(agent_width), "cyan"))
    parts += [
        (clean(one), "red" if node.mark == "failed" and index == 0 else "") for index, one in enumerate(node.texts)
    ]
    if node.where is not None:
        parts.append((clean(node.where), "dim"))
    parts += _checkpoint(node, details, ascii_only)
    label = clean(node.label).ljust(label_width) if _in_columns(node) and parts else clean(node.label)
    line = Text.assemble((glyph, _STYLES[node.mark]), " ", (label, "" if node.mark != "note" else "dim"))
    for index, (text, style) in enumerate(parts):
        line.append("  " if index == 0 else _GAP)
        line.append(text, style)
    line.rstrip()
    return line


def _checkpoint(node: Node, details: bool, ascii_only: bool) -> list[tuple[str, str]]:
    if node.checkpoint is None:
        return []
    if not node.standing:
        return [(f"{'o' if ascii_only else '◇'} rolled back", "dim")]
    name = node.checkpoint[:13] if details else "ckpt"
    return [(f"{'*' if ascii_only else '◆'} {name}", "green")]


def _in_columns(node: Node) -> bool:
    return node.kind in ("step", "block", "transaction", "handoff", "effect", "vote", "rule", "choice")
