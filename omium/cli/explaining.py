"""`omium explain`: what an error's code or a failure's kind means and what to do about it, as docs/errors.md has it."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path

import attrs
import click

from omium.cli.options import common
from omium.cli.output import Output
from omium_core.errors import UsageError

__all__ = ["Section", "explain", "is_explained", "sections"]

PAGE = Path(__file__).with_name("errors.md")
"""A link to docs/errors.md in a checkout, and that page itself where Omium is installed."""

_KINDS = {"Error codes": "error", "Failure kinds": "failure"}
_HEADING = re.compile(r"^(##|###) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


@attrs.frozen
class Section:
    """What the page says of one code (`kind` is `error`) or of one kind of failure (`failure`)."""

    name: str
    kind: str
    text: str

    @property
    def gist(self) -> str:
        """The first sentence."""
        paragraph = " ".join(self.text.partition("\n\n")[0].split())
        return re.split(r"(?<=[.:]) (?=[A-Z`])", paragraph)[0].rstrip(":")


def _codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in sections() if name.startswith(incomplete)]


@click.command()
@click.argument("code", required=False, shell_complete=_codes)
@common
@click.pass_obj
def explain(output: Output, code: str | None) -> None:
    """Say what an error or a failure's kind means, and what to do. Without CODE, list them."""
    if code is None:
        _list(output)
        return
    section = _find(code)
    if output.as_json:
        output.data({"code": section.name, "kind": section.kind, "text": section.text})
        return
    console = output.console()
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(f"**{section.name}**\n\n{section.text}"))
    else:
        click.echo(f"{section.name}\n\n{section.text}")


@lru_cache(maxsize=1)
def sections() -> dict[str, Section]:
    """Return all sections by the code or kind that they explain, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    found: dict[str, Section] = {}
    part = ""
    headings = list(_HEADING.finditer(text))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading[1] == "##":
            part = heading[2]
        elif part in _KINDS:
            body = text[heading.end() : following.start() if following is not None else len(text)]
            found[heading[2]] = Section(heading[2], _KINDS[part], _LINK.sub(r"\1", body).strip())
    return found


def is_explained(code: str) -> bool:
    """Say whether there is a section for a code."""
    return code in sections()


def _find(given: str) -> Section:
    """Return the section of a code, a kind, or an error's class, however it is spelt."""
    known = sections()
    if given in known:
        return known[given]
    alike = next((one for one in known.values() if _bare(one.name) == _bare(given)), None)
    if alike is not None:
        return alike
    near = difflib.get_close_matches(given.lower(), known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "`omium explain` lists those that there are"
    raise UsageError(f"there is no error code or failure kind `{given}`; {hint}")


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removesuffix("error") or name.lower())


def _list(output: Output) -> None:
    if output.as_json:
        listed = [{"code": one.name, "kind": one.kind, "gist": one.gist} for one in sections().values()]
        output.data({"explained": listed})
        return
    output.table(("CODE", "", "MEANING"), [(one.name, one.kind, one.gist) for one in sections().values()])
    output.next("omium explain CODE")
