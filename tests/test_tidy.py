"""What must hold of the checkout itself."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
ENTRY_POINTS: dict[str, str] = PYPROJECT["project"]["entry-points"]["omium"]
EXTENSIONS = sorted(
    path.relative_to(ROOT).as_posix()
    for shelf in ("adapters", "plugins", "policies")
    if (ROOT / shelf).is_dir()
    for path in (ROOT / shelf).iterdir()
    if path.is_dir() and not path.name.startswith((".", "__"))
)
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("[a-z]*") if path.is_dir())
MODULES = sorted(path for package in (*PACKAGES, "examples") for path in (ROOT / package).rglob("*.py"))

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
LONG_FUNCTIONS_SHARE_MAX = 0.01
INTERFACE_LINES_MAX = 150
OPEN_TO_EXTENSIONS = (
    "omium_core.errors",
    "omium_core.hookspecs",
    "omium_core.interfaces",
    "omium_core.model",
    "omium_core.specs",
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", sorted({*PACKAGES, *EXTENSIONS}))
def test_package_is_shipped_and_typed(package: str) -> None:
    """A folder with code reaches users: it is in the wheel, it is a package, and its types count."""
    assert package in PACKAGES
    assert (ROOT / package / "__init__.py").is_file()
    assert (ROOT / package / "py.typed").is_file()


def test_extensions_and_entry_points_agree() -> None:
    """Every extension enters through an entry point, and every entry point leads to an extension."""
    assert {f"{Path(extension).name}.plugin" for extension in EXTENSIONS} == set(ENTRY_POINTS.values())
    assert [one for one in EXTENSIONS if not (ROOT / one / "plugin.py").is_file()] == []


def test_installed_entry_points_are_the_declared_ones() -> None:
    """What is installed is this checkout as it stands, so a test that passes speaks of it."""
    try:
        distribution = metadata.distribution("omium")
    except metadata.PackageNotFoundError:
        pytest.skip("the distribution `omium` is not installed; run `pip install -e .`")

    assert {one.name: one.value for one in distribution.entry_points if one.group == "omium"} == ENTRY_POINTS


def test_examples_are_checked_as_code_is() -> None:
    """What users copy is type-checked, has a page that says how it is run, and a test that does so."""
    assert "examples" in PYPROJECT["tool"]["mypy"]["files"]
    for example in EXAMPLES:
        assert (example / "README.md").is_file()
        assert (ROOT / "tests" / "examples" / f"test_{example.name}.py").is_file()


def test_no_file_holds_two_ideas() -> None:
    """A file of more than 500 lines is a sign that two ideas share it."""
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    """At most one function in a hundred is longer than 60 lines; the failure lists them."""
    functions = list(every_function())
    long = [f"{place}: {lines} lines" for place, lines in functions if lines > FUNCTION_LINES_MAX]

    assert len(long) <= LONG_FUNCTIONS_SHARE_MAX * len(functions), "\n".join(long)


def test_interfaces_are_read_in_one_go() -> None:
    """What a plugin's author must read fits on three pages."""
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "omium_core" / "interfaces").glob("*.py")
    }

    assert {name: lines for name, lines in lengths.items() if lines > INTERFACE_LINES_MAX} == {}


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_extension_imports_only_what_is_open_to_it(extension: str) -> None:
    """Extensions of ours import what others' may: interfaces, model, errors, specs and hook specifications."""
    own = Path(extension).name
    wrong = [
        f"{name_of(path)}:{line} imports {module}"
        for path in sorted((ROOT / extension).rglob("*.py"))
        for module, line in imports(path)
        if module.partition(".")[0].startswith("omium")
        and module.partition(".")[0] != own
        and not any(module == one or module.startswith(f"{one}.") for one in OPEN_TO_EXTENSIONS)
    ]

    assert wrong == []


def test_the_editors_extension_is_this_version_and_names_no_registry() -> None:
    """The extension is packed with the version that it serves; its packages come from wherever npm is told to look."""
    folder = ROOT / "editors" / "vscode"
    package, lock = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("package.json", "package-lock.json")
    )

    assert package["version"] == lock["version"] == PYPROJECT["project"]["version"]
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    assert f"dist/omium-{package['version']}.vsix" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_nothing_is_left_for_later() -> None:
    """What is not done is in an issue, not in a comment."""
    left = [
        f"{name_of(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line)
    ]

    assert left == []


def test_changelog_fragments_have_a_known_kind() -> None:
    """A fragment that towncrier would not pick up is news that nobody hears."""
    kinds = "|".join(one["directory"] for one in PYPROJECT["tool"]["towncrier"]["type"])
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if not path.name.startswith(".")]

    assert [name for name in names if not re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({kinds})\.md", name)] == []


def every_function() -> Iterator[tuple[str, int]]:
    """Give each function's place and length, from its `def` to its last line."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{name_of(path)}:{node.lineno} {node.name}", lines


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Give each imported module and its line, also where it is imported only on use or only for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
