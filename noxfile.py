"""Every check that CI runs. Plain `nox` runs the four a contributor needs; `nox -l` lists them all."""

import sys
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# There is no repository to link to, and its own dependencies are packed as they are: without a bundler.
PACKING = ["--allow-missing-repository", "--no-rewrite-relative-links"]
PROJECT = nox.project.load_toml("pyproject.toml")

nox.options.sessions = ["lint", "layers", "types", f"tests-{RUNNING if RUNNING in PYTHONS else PYTHONS[-1]}"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install_groups(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def layers(session: nox.Session) -> None:
    """Check who imports whom."""
    install_omium(session)
    install_groups(session, "lint")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    install_omium(session)
    install_groups(session, "lint")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the built package, not against the checkout."""
    install_omium(session)
    install_groups(session, "test")
    # `python -m pytest` would put the checkout before the package, and a file missing from the wheel would go unseen.
    session.run("pytest", *session.posargs)


@nox.session
def torture(session: nox.Session) -> None:
    """Press as hard as we can for an hour or two: kills, flipped bits, full disks, simulated worlds."""
    install_omium(session)
    install_groups(session, "test")
    policies = ["tests/policy/test_mutations.py", "tests/policy/test_properties.py"]
    session.run("pytest", "--torture", *(session.posargs or ["tests/torture", *policies]))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the disk's limit and against peers, and print the table."""
    install_omium(session)
    install_groups(session, "bench")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def vsix(session: nox.Session) -> None:
    """Check the extension for Visual Studio Code against the server, and pack it into dist/; needs node 20 and npm."""
    install_omium(session)
    session.install(*PROJECT["project"]["optional-dependencies"]["lsp"])
    root, unpacked = Path.cwd(), Path(session.create_tmp()).resolve()
    packed = root / "dist" / f"omium-{PROJECT['project']['version']}.vsix"
    packed.parent.mkdir(exist_ok=True)
    with session.chdir("editors/vscode"):
        # What packages run when they are installed is needed by none of them here.
        session.run("npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", external=True)
        session.run("npm", "run", "check", external=True)
        session.run("npx", "--no-install", "vsce", "package", *PACKING, "--out", str(packed), external=True)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(unpacked)
        session.run("npm", "test", env={"OMIUM_VSIX": str(unpacked)}, external=True)
    session.log(
        f"packed {packed.relative_to(root)}; install it with: code --install-extension {packed.relative_to(root)}"
    )


def install_omium(session: nox.Session) -> None:
    """Build Omium's wheel and install it as a user would."""
    # uv takes a wheel that it built before for as long as pyproject.toml stays the same.
    again = ["--reinstall-package", "omium"] if session.venv_backend == "uv" else []
    session.install(*again, ".")


def install_groups(session: nox.Session, *groups: str) -> None:
    """Install what the checks of these dependency groups need."""
    session.install(*nox.project.dependency_groups(PROJECT, *groups))
