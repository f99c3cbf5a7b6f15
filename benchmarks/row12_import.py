"""Row 12: what it costs to import Omium and to ask its version: CPU time beyond that of bare Python."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from measuring import Row, main

RUNS = 15
WARM_UP = 2
IMPORT_MS_MAX = 100.0
VERSION_MS_MAX = 150.0
MODULES_SHOWN = 6
USE = "from omium import workflow"


def measure(folder: Path) -> list[Row]:
    """Give row 12."""
    command = Path(sys.executable).with_name("omium")
    commands = {
        "bare": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import omium"],
        # Names are loaded when the first of them is asked for, which is what a program pays that uses any.
        "use": [sys.executable, "-c", USE],
    }
    if command.exists() and not _complaint([str(command), "--version"]):
        commands["version"] = [str(command), "--version"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS + WARM_UP):
        for name, one in commands.items():
            times[name].append(_cpu_ms(one))
    cost = {
        name: statistics.median(
            one - bare for one, bare in zip(times[name][WARM_UP:], times["bare"][WARM_UP:], strict=True)
        )
        for name in commands
    }
    rows = [
        _row("`import omium`", cost["import"], IMPORT_MS_MAX),
        Row(12, f"`{USE}`", f"{cost['use']:.0f} ms CPU beyond bare Python", "", None, (_slowest(),)),
    ]
    if "version" in cost:
        rows.append(_row("`omium --version`", cost["version"], VERSION_MS_MAX))
    else:
        why = _complaint([str(command), "--version"]) if command.exists() else "it is not installed"
        rows.append(Row(12, "`omium --version`", f"not measured: {why}", f"<= {VERSION_MS_MAX:.0f} ms CPU", None))
    return rows


def _row(what: str, ms: float, ms_max: float) -> Row:
    return Row(12, what, f"{ms:.0f} ms CPU beyond bare Python", f"<= {ms_max:.0f} ms CPU", ms <= ms_max)


def _cpu_ms(command: list[str]) -> float:
    """Give the user and system time of a process, whatever else the machine does meanwhile."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed")
    return (used.ru_utime + used.ru_stime) * 1e3


def _complaint(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["it failed"])[-1] if done.returncode else ""


def _slowest() -> str:
    """Name the packages that take the most of the import, with all that they import themselves."""
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", USE], capture_output=True, text=True)
    found = []
    for line in done.stderr.splitlines():
        _, cumulative, name = line.removeprefix("import time:").split("|")
        if cumulative.strip().isdigit() and "." not in name and not name.strip().startswith("omium"):
            found.append((int(cumulative), name.strip()))
    return "of that: " + ", ".join(f"{name} {us / 1e3:.0f} ms" for us, name in sorted(found)[: -MODULES_SHOWN - 1 : -1])


if __name__ == "__main__":
    main(measure)
