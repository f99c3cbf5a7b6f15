"""The documentation runs: every code block of every page does what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import LANGUAGES, Page, environment, installs

from omium.config import load_config

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PATHS = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "examples/*/README.md", "benchmarks/README.md")
    for path in ROOT.glob(pattern)
)
PAGES = [Page.read(path) for path in PATHS]
ALL = [*PAGES, *(Page.read(path) for path in sorted({*ROOT.glob("*.md")} - set(PATHS)))]
# Pages whose commands need more than Omium, and the test that follows them, which is named so that it cannot get lost.
ELSEWHERE = {
    ROOT / "docs" / "plugins" / "tutorial.md": ROOT / "tests" / "plugins" / "test_tutorial.py",
    **{path: ROOT / "tests" / "examples" / f"test_{path.parent.name}.py" for path in ROOT.glob("examples/*/README.md")},
}
NOT_RUN_MAX = 5
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")

# What installs something is not run once more here; each line is what the sessions and CI do.
INSTALLING = {
    "pip install . && omium demo": (ROOT / "noxfile.py", 'session.install(*again, ".")'),
    "pip install nox && nox": (ROOT / ".ci" / "run", "{ pip install nox && nox; } || exit 1"),
    "python -m venv .venv && . .venv/bin/activate": (ROOT / ".ci" / "run", '-m venv "$environment"'),
    "pip install --upgrade pip && pip install -e . --group dev": (ROOT / "pyproject.toml", "\ndev = ["),
    'pip install "../..[postgres]"': (ROOT / "pyproject.toml", "\npostgres = ["),
}


def named(page: Page) -> str:
    return page.path.relative_to(ROOT).as_posix()


def having(*languages: str) -> list[Page]:
    return [one for one in PAGES if one.path not in ELSEWHERE and any(one.running(*languages))]


@pytest.mark.parametrize("page", having("python"), ids=named)
def test_python_runs(page: Page, tmp_path: Path) -> None:
    """A page's Python runs as one program, and its assertions hold."""
    page.write_files(tmp_path)
    page.run_program(tmp_path)


@pytest.mark.parametrize("page", [one for one in having("console", "sh", "sql") if one.commands()], ids=named)
def test_commands_run(page: Page, tmp_path: Path) -> None:
    """A page's commands end as the page says and print what it shows."""
    page.write_files(tmp_path)
    page.run_commands(tmp_path, page.commands(), environment())
    page.run_queries(tmp_path / ".omium" / "omium.db")


@pytest.mark.parametrize("page", having("toml"), ids=named)
def test_configuration_is_accepted(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page shows as Omium's configuration is loaded without a warning."""
    monkeypatch.chdir(tmp_path)
    for number, (block, name) in enumerate(page.configurations()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_text(block.text)
        monkeypatch.chdir(folder)
        assert load_config().warnings == (), f"{named(page)} line {block.line}"


@pytest.mark.parametrize("page", ALL, ids=named)
def test_blocks_parse(page: Page) -> None:
    """Every block, also one that is not run, is what its language says."""
    for block in page.blocks:
        where = f"{named(page)} line {block.line}"
        assert block.language in LANGUAGES, f"{where}: nothing checks a block in `{block.language}`"
        try:
            block.parsed()
        except ValueError as error:
            pytest.fail(f"{where}: {error}")


def test_hardly_any_block_is_not_run() -> None:
    """A block that is not run says why, where its reader sees it; there are very few."""
    not_run = [f"{named(page)}:{one.line} {one.not_run}" for page in ALL for one in page.blocks if one.not_run]

    assert len(not_run) <= NOT_RUN_MAX, not_run


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_that_are_followed_elsewhere_are(path: Path) -> None:
    """A page whose commands are not run here is read by the test that is named for it, and runs its commands."""
    test = ELSEWHERE[path].read_text()

    assert f'"{path.name}"' in test
    assert re.search(r"def test_\w*(readme|followed)", test)


def test_installation_is_what_ci_does() -> None:
    """A command that installs something or runs the checks is known, and what stands for it in CI is there."""
    found = {
        command.line
        for page in ALL
        if page.path.parent.name != "plugins"
        for block in page.running("console", "sh")
        for command in block.commands()
        if installs(command.line)
    }

    assert found == set(INSTALLING)
    for path, line in INSTALLING.values():
        assert line in path.read_text(), f"{path.name} has no `{line}`"


@pytest.mark.parametrize("page", ALL, ids=named)
def test_links_lead_somewhere(page: Page) -> None:
    """A link within the project leads to a file that is there, and to a heading in it."""
    missing = []
    for file, anchor in LINK.findall(page.path.read_text()):
        target = page.path.parent / file if file else page.path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            missing.append(f"{file}#{anchor}")

    assert missing == []


def test_demo_is_what_the_readme_shows(tmp_path: Path) -> None:
    """The README's picture is what `omium demo` prints, but for the execution's id and the time it took."""
    (shown,) = [
        one.text for one in Page.read(README).blocks if one.language == "text" and "loan-onboarding" in one.text
    ]

    command = [sys.executable, "-m", "omium", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=environment())

    assert timeless(done.stdout) == timeless(shown)


def timeless(text: str) -> list[str]:
    text = re.sub(r"exe_\w+", "exe_", text)
    return [line.rstrip() for line in re.sub(r"Recovered in [^:]+:", "Recovered:", text).strip().splitlines()]


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower().replace("`", "")).replace(" ", "-") for one in headings}
