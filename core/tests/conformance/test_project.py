"""What a plugin's author says of it is read from its package, or refused with what is wrong."""

import pytest

from threepeat.testing.conformance.project import Project, ProjectError

PROJECT = """
[project.entry-points."threepeat.plugins"]
tea = "threepeat_tea.plugin:plugin"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project of a plugin that is installed: `project("[settings]…")`; with `here=False` as a wheel."""

    def write(said, *, here=True):
        package, info = tmp_path / "site/threepeat_tea", tmp_path / "site/threepeat_tea-1.0.dist-info"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('to look is not to load')")
        (package / "conformance.toml").write_text(said)
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.4\nName: threepeat-tea\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[threepeat.plugins]\ntea = threepeat_tea.plugin:plugin\n")
        monkeypatch.syspath_prepend(tmp_path / "site")
        if not here:
            return Project.of("tea")
        (tmp_path / "pyproject.toml").write_text(PROJECT)
        (tmp_path / "tests").mkdir()
        return Project.around(tmp_path / "tests")

    return write


@pytest.mark.parametrize("here", [True, False])
def test_the_package_holds_it_wherever_it_is_installed(project, tmp_path, *, here):
    found = project("[settings]\nleast = 3", here=here)
    assert (found.plugin, found.settings) == ("tea", {"least": 3})
    assert found.root == (tmp_path if here else None)


def test_a_reason_stands_for_what_is_only_advised(project):
    found = project('[exempt]\ntranslated = "one language only"')
    assert (found.plugin, found.exempt) == ("tea", {"translated": "one language only"})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('[exempt]\nexactly-once = "no time"', "exempts the plugin from exactly-once"),
        ('[exempt]\ntranslatd = "x"', "exempts the plugin from translatd"),
        ("[settngs]", "has no use for settngs"),
        ("[exempt", "cannot be read"),
    ],
)
def test_what_would_have_no_effect_is_refused(project, said, reason):
    with pytest.raises(ProjectError, match=reason):
        project(said)


def test_a_folder_of_no_plugin_is_none(tmp_path):
    with pytest.raises(ProjectError, match=r"no pyproject\.toml above"):
        Project.around(tmp_path)


def test_a_file_beside_the_package_is_not_passed_over(project, tmp_path):
    project("")
    (tmp_path / "conformance.toml").write_text("[settings]\nleast = 3")
    with pytest.raises(ProjectError, match="move it into the package"):
        Project.around(tmp_path)


def test_a_plugin_that_is_not_installed_is_told_how(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("tea", "not_here"))
    (tmp_path / "conformance.toml").write_text("[settings]\nleast = 3")
    with pytest.raises(ProjectError, match=f"not_here is not installed: run pip install -e {tmp_path}"):
        Project.around(tmp_path)
