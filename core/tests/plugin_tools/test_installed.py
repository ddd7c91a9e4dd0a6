"""What is known of installed plugins without loading them."""

import json
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from typer.testing import CliRunner

from threepeat import __version__
from threepeat.cli.app import app
from threepeat.plugins import compatibility, distributions

OWN = ["gift/__init__.py", "gift/plugin.py", "gift-1.0.dist-info/METADATA", "gift-1.0.dist-info/RECORD"]


@pytest.fixture
def make(tmp_path):
    """A distribution as it lies in a folder of packages."""

    def made(*files, entry_points="", requires=("threepeat-core<0.2,>=0.1",), url=None, record=True):
        info = tmp_path / "gift-1.0.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: gift\nVersion: 1.0\n{needs}")
        (info / "entry_points.txt").write_text(f"[threepeat.plugins]\ngift = gift.plugin:plugin\n{entry_points}")
        if record:
            (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*OWN, *files)))
        if url is not None:
            (info / "direct_url.json").write_text(json.dumps(url))
        return PathDistribution(info)

    return made


def test_a_plain_distribution_is_clean(make):
    found = distributions.contents(make())
    assert found.clean
    assert found.requires == ("threepeat-core<0.2,>=0.1",)
    assert (found.scripts, found.entry_points, found.native) == ((), (), ())


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("gift.pth", "pth"),
        ("tests/test_gift.py", "stray"),
        ("threepeat/sdk/more.py", "stray"),
        ("sitecustomize.py", "stray"),
        ("../../../bin/gift", "stray"),
        ("../../../etc/gift.conf", "stray"),
        ("other-1.0.dist-info/METADATA", "stray"),
    ],
)
def test_what_reaches_outside_its_own_folder_is_named(make, file, kind):
    found = distributions.contents(make(file))
    assert getattr(found, kind) == (file,)
    assert not found.clean


def test_a_plugin_that_lives_in_threepeats_own_package_is_a_stranger_there(make, tmp_path):
    dist = make("threepeat/gift.py")
    entry_points = tmp_path / "gift-1.0.dist-info/entry_points.txt"
    entry_points.write_text("[threepeat.plugins]\ngift = threepeat.gift:plugin\n")
    assert "threepeat/gift.py" in distributions.contents(dist).stray


def test_commands_other_entry_points_and_native_code_are_told(make):
    more = "[console_scripts]\ngift = gift.main:run\n[pytest11]\ngift = gift.testing\n"
    found = distributions.contents(make("../../../bin/gift", "gift/fast.cpython-311-x86_64.so", entry_points=more))
    assert found.clean, "a command that it names is its own"
    assert found.scripts == ("gift",)
    assert found.entry_points == ("pytest11: gift",)
    assert found.native == ("gift/fast.cpython-311-x86_64.so",)


def test_without_a_list_of_files_nothing_is_clean(make):
    assert not distributions.contents(make(record=False)).clean


def test_an_editable_folder_may_name_itself(make, tmp_path):
    dist = make("_gift.pth", "bad.pth", url={"url": "file:///src/gift", "dir_info": {"editable": True}})
    (tmp_path / "_gift.pth").write_text("/src/gift\n")
    (tmp_path / "bad.pth").write_text("import os; os.system('true')\n")
    assert distributions.contents(dist).pth == ("bad.pth",)


@pytest.mark.parametrize(
    ("url", "said", "brief"),
    [
        (None, "PyPI name gift", "index"),
        ({"url": "file:///src/my%20gift", "dir_info": {"editable": True}}, "editable /src/my gift", "folder"),
        ({"url": "file:///tmp/gift-1.0.whl", "archive_info": {}}, "file:///tmp/gift-1.0.whl", "folder"),
        (
            {"url": "https://example.com/gift.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "https://example.com/gift.git@abc",
            "example.com",
        ),
        ([], "a direct_url.json that cannot be read", ""),
    ],
)
def test_the_origin_is_told_apart(make, url, said, brief):
    found = distributions.origin(make(url=url))
    assert (str(found), found.brief) == (said, brief)


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        (("threepeat-core>=0.1,<0.2", "rich; extra == 'x'", "not a requirement !"), None),
        (("Threepeat_Core>=7",), f"it needs Threepeat_Core>=7, and {__version__} is installed"),
        (("rich", "threepeat-core; extra == 'y'"), "it does not say which threepeat-core it needs"),
    ],
)
def test_whether_it_goes_with_the_core_is_read_from_its_metadata(make, requires, reason):
    assert compatibility.conflict(make(requires=requires)) == reason


@pytest.fixture
def installed(make, monkeypatch):
    dist = make("gift.pth")
    monkeypatch.setattr(distributions, "of_plugins", lambda: {"gift": dist})


@pytest.mark.usefixtures("installed")
def test_the_audit_exits_with_1_for_a_pth_file():
    outcome = CliRunner().invoke(app, ["plugin", "audit", "--json"])
    assert outcome.exit_code == 1
    (told,) = json.loads(outcome.stdout)
    assert (told["plugin"], told["pth"], told["clean"]) == ("gift", ["gift.pth"], False)
    plain = CliRunner().invoke(app, ["plugin", "audit", "gift"])
    assert "gift.pth runs at every start of Python" in plain.stdout


@pytest.mark.usefixtures("installed")
def test_an_unknown_plugin_is_named():
    outcome = CliRunner().invoke(app, ["plugin", "audit", "box"])
    assert (outcome.exit_code, "there is no plugin 'box'" in outcome.stderr) == (1, True)


@pytest.mark.usefixtures("installed")
def test_the_list_tells_what_it_can_without_a_database(monkeypatch, tmp_path):
    for name in ("APP", "OWNER", "OPS"):
        monkeypatch.delenv(f"THREEPEAT_{name}_URL", raising=False)
    monkeypatch.setenv("THREEPEAT_DATA", str(tmp_path / "data"))
    outcome = CliRunner().invoke(app, ["plugin", "list", "--json"])
    assert outcome.exit_code == 0, outcome.stderr
    (told,) = [one for one in json.loads(outcome.stdout) if one["id"] == "gift"]
    assert (told["version"], told["origin"], told["conflict"], told["stores"]) == (
        "1.0",
        "PyPI name gift",
        None,
        None,
    )
    assert not Path(tmp_path / "data").exists(), "looking starts no database"
    assert "No database can be reached" in CliRunner().invoke(app, ["plugin", "list"]).stdout
