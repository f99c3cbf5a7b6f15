"""How pages are run notices what would mislead a reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import Page, alike, environment

TICKS = "```"


def page(folder: Path, text: str) -> Page:
    path = folder / "page.md"
    path.write_text(text.replace("~~~", TICKS))
    return Page.read(path)


def run(one: Page, folder: Path) -> None:
    one.write_files(folder)
    if one.program():
        one.run_program(folder)
    one.run_commands(folder, one.commands(), environment())


def test_a_page_runs(tmp_path: Path) -> None:
    """Programs, files, commands over several lines, what they print and how they end: as the page says."""
    text = """
~~~python
a = 1
~~~

Save this as `sub/one.txt`:

~~~text
one
~~~

~~~python
print(a + 1)
~~~

Save it as `two.py` and:

~~~console
$ cat sub/one.txt
one
$ printf 'exe_01ABC  after %s s\\n' \\
0.25 && cd sub
exe_01XYZ after ... s
$ ls
one.txt
$ a=1; python ../two.py    # exit status 1: it needs `a`
$ echo $a
1
$ read answer && echo $answer
y
~~~
"""
    run(page(tmp_path, text), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "~~~python\nassert False\n~~~\n",
        "~~~console\n$ false\n~~~\n",
        "~~~console\n$ echo one\ntwo\n~~~\n",
        "~~~console\n$ printf 'one\\ntwo\\n'\none\n~~~\n",
        "~~~console\n$ true   # exit status 3\n~~~\n",
        "~~~console\n$ exit 0\n$ echo never\n~~~\n",
        "~~~sh\ntrue\nfalse\n~~~\n",
        "~~~python\na = 1\n~~~\n\n~~~python\nassert a == 2\n~~~\n",
    ],
)
def test_a_page_that_is_wrong_fails(text: str, tmp_path: Path) -> None:
    """Whatever does not end or print as the page says is noticed."""
    with pytest.raises(AssertionError):
        run(page(tmp_path, text), tmp_path)


def test_what_is_not_run_says_why(tmp_path: Path) -> None:
    """Only the block right under the reason is left out."""
    text = "*Not run by the tests: it needs a server.*\n\n~~~python\nassert False\n~~~\n\n~~~python\nassert True\n~~~\n"

    one = page(tmp_path, text)

    assert [block.not_run for block in one.blocks] == ["it needs a server", None]
    one.run_program(tmp_path)


def test_likeness() -> None:
    """`...` stands for anything, ids for any id, and blanks for blanks; the rest is compared."""
    assert alike("a ... c\nd", "a b b c\nd\n")
    assert alike("exe_1 ckpt_2", "exe_34  ckpt_567")
    assert not alike("a", "a\nb")
    assert not alike("a\nb", "a b")
