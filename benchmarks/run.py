"""Run every row, each in a process of its own, and print one table; `run.py 1 4` runs those rows only."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from measuring import FOLDER, Row, verdict

HERE = Path(__file__).parent
ROW_S_MAX = 900.0
WIDTHS = (34, 48, 30)


def run() -> int:
    """Print the table; give 1 when a script failed. A target that is not met is told, and fails nothing."""
    wanted = {int(number) for number in sys.argv[1:]}
    rows: list[Row] = []
    broken = 0
    for script in sorted(HERE.glob("row*.py")):
        number = int(script.stem[3:5])
        if wanted and number not in wanted:
            continue
        print(f"row {number} ...", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, str(script), "--json"], stdout=subprocess.PIPE, text=True, timeout=ROW_S_MAX
        )
        if done.returncode:
            broken = 1
            rows.append(Row(number, script.name, "the script failed", "", None))
        else:
            rows += [Row(**one) for one in json.loads(done.stdout)]
    _print(rows)
    return broken


def _print(rows: list[Row]) -> None:
    command = " ".join(["python benchmarks/run.py", *sys.argv[1:]])
    print(f"{command}   Python {sys.version.split()[0]}, {FOLDER}")
    _line("row", ("what", "measured", "target"), "")
    for row in rows:
        _line(str(row.number), (row.what, row.measured, row.target), verdict(row))
    notes = [(row.number, note) for row in rows for note in row.notes]
    for number, note in notes:
        print(f"row {number}: {note}")


def _line(number: str, cells: tuple[str, str, str], last: str) -> None:
    """Print one row of the table, its cells wrapped at words."""
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
    for at in range(max(map(len, columns))):
        parts = [column[at] if at < len(column) else "" for column in columns]
        padded = "  ".join(part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True))
        print(f"{number if not at else '':>3}  {padded}  {last if not at else ''}".rstrip())


if __name__ == "__main__":
    sys.exit(run())
