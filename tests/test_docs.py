"""The documentation runs: the Python blocks of each page, in their order, as one program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md", ROOT / "docs" / "effects.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEXT = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    """A page's code does what the page says: it runs, and its assertions hold."""
    blocks = BLOCK.findall(page.read_text())
    program = tmp_path / "page.py"
    program.write_text("\n".join(blocks))

    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert blocks
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.md"))], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link within the project leads to a file that is there."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


def test_demo_is_what_the_readme_shows(tmp_path: Path) -> None:
    """The README's picture is what `omium demo` prints, but for the execution's id and the time it took."""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1", "COLUMNS": "120"}
    shown = next(block for block in TEXT.findall((ROOT / "README.md").read_text()) if "loan-onboarding" in block)

    command = [sys.executable, "-m", "omium", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=env)

    assert _alike(done.stdout) == _alike(shown)


def _alike(text: str) -> list[str]:
    text = re.sub(r"exe_\w+", "exe_", text)
    return [line.rstrip() for line in re.sub(r"Recovered in [^:]+:", "Recovered:", text).strip().splitlines()]
