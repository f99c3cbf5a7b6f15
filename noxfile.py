"""Every check that CI runs. Plain `nox` runs the four a contributor needs; `nox -l` lists them all."""

import sys

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
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


def install_omium(session: nox.Session) -> None:
    """Build Omium's wheel and install it as a user would."""
    # uv takes a wheel that it built before for as long as pyproject.toml stays the same.
    again = ["--reinstall-package", "omium"] if session.venv_backend == "uv" else []
    session.install(*again, ".")


def install_groups(session: nox.Session, *groups: str) -> None:
    """Install what the checks of these dependency groups need."""
    session.install(*nox.project.dependency_groups(PROJECT, *groups))
