"""Export: the whole journal as a file that a third party checks with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import omium


def checked(path: Path) -> dict[str, Any]:
    """Recompute the chain of an export without Omium; give its last line."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    head, end = lines[0], lines[-1]["end"]
    assert head["format"] == "omium-journal-1"
    digest, bodies = head["previous"], 0
    for line in [one for one in lines if "seq" in one]:
        header = json.loads(line["header"])
        assert header["seq"] == line["seq"]
        body = b""
        if "body" in header:
            bodies += 1
            body = bytes.fromhex(header["body"])
            stored = line["body"].get("stored")
            assert stored is None or hashlib.sha256(base64.b64decode(stored)).hexdigest() == header["body"]
        digest = hashlib.sha256(bytes.fromhex(digest) + line["header"].encode() + body).hexdigest()
        assert digest == line["hash"]
    for line in [one for one in lines if "blob" in one]:
        assert hashlib.sha256(base64.b64decode(line["stored"])).hexdigest() == line["blob"]
    assert digest == end["hash"]
    assert end["events"] == len([one for one in lines if "seq" in one]) > 0
    assert bodies > 0
    return end  # type: ignore[no-any-return]  # it is what JSON gave


def test_a_third_party_can_check_it(site: Any) -> None:
    """Every header, body, blob and link is in the file, and its head is the one that `verify` gives."""
    assert site.omium("run", "flows.py:stores", "--input", '"a"', "--execution-id", "x").status == 0

    done = site.omium("export", "x", "--output", "x.jsonl")
    end = checked(Path("x.jsonl"))

    assert done.status == 0, done.err
    assert end["blobs"] > 0
    assert omium.verify("x").heads == {"x": end["hash"]}
    values = [json.loads(line).get("body", {}).get("value") for line in Path("x.jsonl").read_text().splitlines()]
    assert {"arguments": {"text": "a"}} in values


def test_forks_and_pruned_journals_are_exported(site: Any) -> None:
    """A fork's chain goes on from its source's; what was pruned is named, and the chain still computes."""
    site.omium("run", "flows.py:stores", "--input", '"a"', "--execution-id", "x")
    site.omium("fork", "x", "--at", "large", "--new-id", "y", "--code", "flows.py:stores")
    site.omium("resume", "y", "flows.py:stores")
    assert site.omium("export", "y", "-o", "y.jsonl").status == 0
    checked(Path("y.jsonl"))
    assert json.loads(Path("y.jsonl").read_text().splitlines()[0])["source"]["execution"] == "x"

    site.omium("prune", "--status", "completed", "--yes", "--by", "ann")
    done = site.omium("export", "x", "-o", "x.jsonl", "--json")

    assert done.data["blobs"] == 0, done.err
    assert checked(Path("x.jsonl"))["blobs"] == 0
    assert '"pruned":"ann"' in Path("x.jsonl").read_text()


def test_no_file_is_replaced_by_accident(site: Any) -> None:
    """A file that is there stays without `--overwrite`; nothing half written is left anywhere."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")
    Path("x.jsonl").write_text("mine")

    refused = site.omium("export", "x", "-o", "x.jsonl")
    nowhere = site.omium("export", "x", "-o", "missing/x.jsonl")
    unknown = site.omium("export", "nobody", "-o", "z.jsonl")

    assert (refused.status, nowhere.status, unknown.status) == (2, 2, 2)
    assert "there is a file `x.jsonl` already" in refused.err
    assert Path("x.jsonl").read_text() == "mine"
    assert site.omium("export", "x", "-o", "x.jsonl", "--overwrite").status == 0
    checked(Path("x.jsonl"))
    assert sorted(one.name for one in Path().iterdir() if "jsonl" in one.name) == ["x.jsonl"]


def test_a_damaged_journal_is_not_exported(site: Any) -> None:
    """What is not as it was written ends in exit status 6, and leaves no file that looks whole."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")
    with sqlite3.connect(".omium/omium.db") as connection:
        connection.execute("UPDATE append SET bodies = x'00' || substr(bodies, 2) WHERE length(bodies) > 3")

    done = site.omium("export", "x", "-o", "x.jsonl")

    assert done.status == 6
    assert not Path("x.jsonl").exists()


@pytest.mark.parametrize("args", [("export", "x"), ("export", "@last")])
def test_stdout_is_the_default(site: Any, args: tuple[str, ...]) -> None:
    """Without `--output` the lines go to stdout, and what is said to people to stderr."""
    site.omium("run", "flows.py:line", "--input", "1", "--execution-id", "x")

    done = site.omium(*args)
    Path("out.jsonl").write_text(done.out, encoding="utf-8")

    checked(Path("out.jsonl"))
    assert "exported" in done.err
