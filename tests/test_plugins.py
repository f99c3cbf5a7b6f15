"""Plugins load one by one, keep to what is theirs, and never take the host down."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from omium.plugins import load_plugins
from omium_core import hookspecs
from omium_core.errors import MissingExtra, PluginError
from omium_core.specs import BlobStoreSpec, CodecSpec, JournalSpec, NotifierSpec

ROOT = Path(__file__).parent.parent
HOOKS_PAGE = (ROOT / "docs" / "plugins" / "hooks.md").read_text(encoding="utf-8")
HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and function.__module__ == hookspecs.__name__
}
OWN = {"fsspec": "omium_fsspec.plugin", "sqlite": "omium_sqlite.plugin"}
HEAD = "from omium_core.hookspecs import hookimpl\nfrom omium_core.specs import *\n"
WELL_BEHAVED = HEAD + "@hookimpl\ndef startup(runtime): pass\n"
REPORT = """
import json, sys
from omium.plugins import load_plugins
plugins = load_plugins()
answer = {
    "loaded": {p.name: [p.distribution, p.version, list(p.hooks)] for p in plugins.loaded},
    "failed": {f.name: [f.distribution, f.reason] for f in plugins.failed},
    "registered": sorted(name for name, _ in plugins.manager.list_name_plugin()),
    "hooks": sorted(name for name in vars(plugins.manager.hook) if not name.startswith("_")),
    "modules": sorted(sys.modules),
}
"""


class Site:
    """A folder of installed distributions, Omium's among them, that comes first on the path of a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.declare("omium", OWN)

    @property
    def path(self) -> str:
        """What `PYTHONPATH` must be for this folder to come before all that is there already."""
        return os.pathsep.join(one for one in (str(self.folder), os.environ.get("PYTHONPATH")) if one)

    def install(self, distribution: str, **plugins: str) -> None:
        """Install a distribution with one module per plugin; the text is the module's source."""
        stem = distribution.replace("-", "_")
        for name, source in plugins.items():
            (self.folder / f"{stem}_{name}.py").write_text(source, encoding="utf-8")
        self.declare(distribution, {name: f"{stem}_{name}" for name in plugins})

    def declare(self, distribution: str, entry_points: dict[str, str]) -> None:
        """Write the metadata of a distribution that has these entry points."""
        info = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[omium]", *lines, ""]))

    def load(self, then: str = "", **environment: str) -> dict[str, Any]:
        """Load the plugins in a new process and report what became of them."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OMIUM_")}
        ran = subprocess.run(
            [sys.executable, "-c", f"{REPORT}{then}\nprint(json.dumps(answer))"],
            env={**inherited, "PYTHONPATH": self.path, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        report: dict[str, Any] = json.loads(ran.stdout)
        return report


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_own_plugins_load_as_anybody_elses(site: Site) -> None:
    """What ships with Omium enters through entry points, beside a third party's plugin."""
    site.install("omium-redis", redis=WELL_BEHAVED)

    report = site.load()

    assert list(report["loaded"]) == ["fsspec", "sqlite", "redis"]
    assert report["loaded"]["redis"] == ["omium-redis", "1.0", ["startup"]]
    assert report["failed"] == {}


def test_loading_imports_nothing_heavy(site: Site) -> None:
    """Listing what exists imports neither stores nor what they stand on."""
    modules = site.load()["modules"]

    assert {"fsspec", "sqlite3", "omium_sqlite.journal", "omium_fsspec.blobs", "rich", "lark"} & set(modules) == set()


def test_importing_omium_loads_no_plugin(site: Site) -> None:
    """Plugins load on first use, never at import."""
    site.install("omium-loud", loud=f"{WELL_BEHAVED}print('loaded')\n")

    ran = subprocess.run(
        [sys.executable, "-c", "import omium.plugins"],
        env={**os.environ, "PYTHONPATH": site.path},
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == ""


FAULTS = {
    "import": ("import not_there_at_all\n", "not_there_at_all"),
    "syntax": ("def :\n", "cannot be imported"),
    "exit": ("import sys\nsys.exit(3)\n", "it ends the process"),
    "misspelt": (HEAD + "@hookimpl\ndef register_journal(): return []\n", "did you mean `register_journals`?"),
    "argument": (HEAD + "@hookimpl\ndef track_event(evnt): pass\n", "wants the argument `evnt`"),
    "default": (HEAD + "@hookimpl\ndef track_event(event=None): pass\n", "must take `event`"),
    "unmarked": (HEAD + "def startup(runtime): pass\n", "not marked with `@hookimpl`"),
    "empty": ("", "has no hooks"),
    "raises": (HEAD + "@hookimpl\ndef register_codecs(): raise ValueError('no codec today')\n", "no codec today"),
    "number": (HEAD + "@hookimpl\ndef register_codecs(): return 3\n", "must return a list of `CodecSpec`"),
    "kind": (HEAD + "@hookimpl\ndef register_codecs(): return [NotifierSpec('a', 'b:c')]\n", "not a `CodecSpec`"),
    "factory": (HEAD + "@hookimpl\ndef register_journals(): return [JournalSpec('a', 'b.c')]\n", "not of the form"),
    "wraps": (HEAD + "@hookimpl(wrapper=True)\ndef register_journals():\n return (yield)\n", "cannot change others'"),
    "twice": (
        HEAD + "@hookimpl\ndef register_journals(): return [JournalSpec('a', 'b:c'), JournalSpec('a', 'b:d')]\n",
        "already taken by itself",
    ),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a process in which every faulty plugin is installed at once, with one that is fine."""
    site = Site(tmp_path_factory.mktemp("faulty"))
    for name, (source, _) in FAULTS.items():
        site.install(f"omium-{name}", **{f"broken_{name}": source})
    site.install("omium-zfine", fine=WELL_BEHAVED)
    return site.load()


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_plugin_is_recorded(faulty: dict[str, Any], fault: str) -> None:
    """A plugin that cannot be used is kept with its distribution and a reason that says what to mend."""
    distribution, reason = faulty["failed"][f"broken_{fault}"]

    assert distribution == f"omium-{fault}"
    assert FAULTS[fault][1] in reason
    assert "\n" not in reason


def test_faulty_plugins_leave_no_trace(faulty: dict[str, Any]) -> None:
    """Whatever is wrong with some plugins, the others work and the hooks are those of the specification."""
    assert faulty["registered"] == ["fine", "fsspec", "sqlite"]
    assert list(faulty["loaded"]) == ["fsspec", "sqlite", "fine"]
    assert faulty["hooks"] == sorted(HOOKS)


def test_own_plugin_name_cannot_be_taken(site: Site) -> None:
    """A distribution that sorts first, and names its plugin as Omium's, does not come in its place."""
    site.install("aaa", sqlite=WELL_BEHAVED)

    report = site.load()

    assert report["loaded"]["sqlite"][0] == "omium"
    assert report["failed"]["sqlite"] == ["aaa", "it has a name that is already taken by `omium`"]


def test_own_plugin_name_stays_reserved_when_it_cannot_load(tmp_path: Path) -> None:
    """Breaking Omium's own plugin does not free its name."""
    site = Site.__new__(Site)
    site.folder = tmp_path
    site.declare("omium", {"sqlite": "not_there_at_all"})
    site.install("aaa", sqlite=WELL_BEHAVED)

    assert site.load()["loaded"] == {}


def test_own_scheme_cannot_be_taken(site: Site) -> None:
    """A journal under a scheme of Omium's own is refused under any plugin name, with all else that its plugin has."""
    source = HEAD + "@hookimpl\ndef register_journals(): return [JournalSpec(('mine', 'sqlite'), 'thief:Journal')]\n"
    site.install("aaa", thief=source)

    report = site.load("answer['factory'] = plugins.journal('sqlite').factory")

    assert report["factory"] == "omium_sqlite.opening:open_journal"
    assert report["failed"]["thief"][1] == "it registers `sqlite`, which is already taken by `sqlite` of `omium`"
    assert report["registered"] == ["fsspec", "sqlite"]


def test_first_of_two_strangers_wins_whatever_the_order_of_installation(site: Site) -> None:
    """Who gets a name is decided by the distributions' names, and the other is told who has it."""
    source = HEAD + "@hookimpl\ndef register_notifiers(): return [NotifierSpec('pager', 'x:Y')]\n"
    site.install("omium-b", b=source)
    site.install("omium-a", a=source)

    report = site.load()

    assert "a" in report["loaded"]
    assert report["failed"]["b"][1] == "it registers `pager`, which is already taken by `a` of `omium-a`"


@pytest.mark.parametrize(
    ("limit", "loaded"),
    [("", []), ("omium-redis", ["redis"]), ("Omium_Redis, omium.slack", ["redis", "slack"])],
)
def test_limit(site: Site, limit: str, loaded: list[str]) -> None:
    """`OMIUM_LOAD_PLUGINS` names the distributions that load; Omium's own always do."""
    site.install("omium-redis", redis=WELL_BEHAVED)
    site.install("omium-slack", slack=WELL_BEHAVED)

    report = site.load(OMIUM_LOAD_PLUGINS=limit)

    assert list(report["loaded"]) == ["fsspec", "sqlite", *loaded]
    assert report["failed"] == {}


def test_limit_to_what_is_not_installed_is_recorded(site: Site) -> None:
    """A misspelt distribution in `OMIUM_LOAD_PLUGINS` is said, not silently a plugin less."""
    site.install("omium-redis", redis=WELL_BEHAVED)

    report = site.load(OMIUM_LOAD_PLUGINS="omium-rediss")

    assert "did you mean `omium-redis`?" in report["failed"]["omium-rediss"][1]


def test_lookups_say_what_was_meant(site: Site) -> None:
    """A name that nothing serves is answered with the nearest one, or with why its plugin is missing."""
    site.install("omium-redis", redis="import not_there_at_all\n")
    ask = """
answer["said"] = []
for scheme in ("sqllite", "redis", "ftp"):
    try:
        plugins.journal(scheme)
    except Exception as error:
        answer["said"].append(str(error))
answer["blobs"] = [plugins.blob_store(scheme).factory for scheme in ("file", "s3")]
"""

    report = site.load(ask)

    near, broken, far = report["said"]
    assert near == "no plugin keeps journals under the URL scheme `sqllite`; did you mean `sqlite`?"
    assert broken.startswith("no plugin keeps journals under the URL scheme `redis`: that of `omium-redis` could not")
    assert "there is `sqlite` (`omium plugins`" in far
    assert report["blobs"] == ["omium_fsspec.blobs:FsspecBlobStore"] * 2


def test_specs_of_own_plugins_lead_somewhere() -> None:
    """Every factory that an own plugin names can be imported."""
    from omium_fsspec import plugin as fsspec_plugin
    from omium_sqlite import plugin as sqlite_plugin

    for spec in (*sqlite_plugin.register_journals(), *fsspec_plugin.register_blob_stores()):
        assert callable(spec.load())


def test_missing_extra_names_the_command() -> None:
    """A plugin whose packages are missing says how to get them, and no name of a Python module."""
    spec = JournalSpec("redis", "not_there_at_all.journal:Journal", extra="redis")
    own = JournalSpec("redis", "omium_core.not_there:Journal", extra="redis")

    with pytest.raises(PluginError) as broken:
        own.load()
    assert not isinstance(broken.value, MissingExtra)
    assert str(broken.value) == "plugin `redis` cannot be imported: there is no module `omium_core.not_there`"
    with pytest.raises(PluginError, match="there is no module `not_there_at_all`"):
        spec.load()


def test_missing_package_behind_a_plugin_is_a_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin is there and what it stands on is not: that is what an extra brings."""
    (tmp_path / "omium_hollow.py").write_text("import not_there_at_all\nJournal = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtra) as missing:
        JournalSpec("hollow", "omium_hollow:Journal", extra="hollow").load()

    assert str(missing.value).endswith("are not installed; run: pip install 'omium[hollow]'")
    with pytest.raises(PluginError, match="there is no module `not_there_at_all`"):
        JournalSpec("hollow", "omium_hollow:Journal").load()


def test_attribute_that_is_not_there_is_named() -> None:
    """A factory's misspelt attribute is a plugin's fault, and is said as one."""
    with pytest.raises(PluginError, match=r"`omium_core\.errors` has no `Jurnal`"):
        NotifierSpec("wrong", "omium_core.errors:Jurnal").load()


@pytest.mark.parametrize(
    "make",
    [
        lambda: JournalSpec((), "a:b"),
        lambda: JournalSpec("SQLite", "a:b"),
        lambda: JournalSpec("*", "a:b"),
        lambda: BlobStoreSpec("a b", "a:b"),
        lambda: NotifierSpec("", "a:b"),
        lambda: CodecSpec("tag", "a.b"),
    ],
)
def test_spec_that_could_not_be_looked_up_is_refused(make: Any) -> None:
    """A spec without a name that can be asked for, or without a factory, is refused where it is written."""
    with pytest.raises(PluginError):
        make()


def test_every_load_starts_anew() -> None:
    """Nothing is kept between two loads: there is no state behind the function."""
    assert load_plugins().manager is not load_plugins().manager


def test_hooks_page_has_exactly_the_hooks() -> None:
    """The page has one heading per hook, in the specification's order, and each is the hook's signature."""
    signatures = [f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in HOOKS.items()]

    assert re.findall(r"^## (.+)$", HOOKS_PAGE, flags=re.MULTILINE) == signatures


def test_hooks_page_examples_are_plugins(site: Site) -> None:
    """Each heading's example loads as a plugin and implements the hook that it stands under."""
    sections = re.findall(r"^## (\w+)\(.*?```python\n(.*?)```", HOOKS_PAGE, flags=re.MULTILINE | re.DOTALL)
    site.install("omium-examples", **{f"example_{hook}": source for hook, source in sections})

    report = site.load()

    assert report["failed"] == {}
    assert [hook for hook, _ in sections] == list(HOOKS)
    assert all(report["loaded"][f"example_{hook}"][2] == [hook] for hook in HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_what_it_is_for(hook: str) -> None:
    """A hook without a docstring is a hook that nobody can implement."""
    assert inspect.getdoc(HOOKS[hook])
