"""What a restore asks for before it touches a database."""

import pytest
import typer
from typer.testing import CliRunner

from threepeat.cli import backup
from threepeat.database import restoring
from threepeat.database.backup import is_empty
from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.engine import Database
from threepeat.database.programs import BackupError
from threepeat.events import erasure_list
from threepeat.events.erasure_list import Entry


@pytest.fixture
def config(tmp_path, monkeypatch):
    for name in ("THREEPEAT_KEYS", "THREEPEAT_KEYS_FILE", "THREEPEAT_ERASURES"):
        monkeypatch.delenv(name, raising=False)
    return DatabaseConfig(data=tmp_path / "data")


def listed(file, *names):
    file.parent.mkdir(exist_ok=True)
    for name in names:
        entry = Entry(kind="member", id=name, tenant=1, slug="tea", at="2026-01-01T00:00:00Z", by="member")
        erasure_list.append(file, entry)
    return file


def ids(lines):
    return [entry.id for entry in erasure_list.read(lines)]


def test_without_a_list_somebody_has_to_say_that_nobody_was_erased(config):
    with pytest.raises(BackupError, match="--no-erasures"):
        backup._erasures(config, [], none=False)
    assert backup._erasures(config, [], none=True) == []


def test_the_machines_own_list_counts_always_and_others_besides(config, tmp_path):
    own = listed(config.data / "erasures.jsonl", "one")
    other = listed(tmp_path / "other.jsonl", "two", "one")
    assert ids(backup._erasures(config, [], none=True)) == ["one"]
    assert ids(backup._erasures(config, [other, own], none=False)) == ["one", "two"]


def test_what_is_no_list_is_refused_before_anything_happens(config, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"kind": "party"}\n')
    with pytest.raises(BackupError, match=r"other\.jsonl: line 1"):
        backup._erasures(config, [tmp_path / "other.jsonl"], none=False)


def test_erasures_of_other_machines_are_put_on_this_ones_list_once(config, tmp_path):
    own = listed(config.data / "erasures.jsonl", "one")
    lines = listed(tmp_path / "other.jsonl", "one", "two").read_text().splitlines()
    for _ in range(2):
        backup._remember(config, lines)
    assert ids(own.read_text().splitlines()) == ["one", "two"]
    assert len(own.read_text().splitlines()) == 2


def test_keys_are_never_made_by_a_restore(config):
    with pytest.raises(BackupError, match="the secret keys are not here"):
        backup._keys(config)
    assert not config.data.exists()


@pytest.fixture
def empty(cluster, tmp_path, monkeypatch):
    """An empty database that the environment names, and a way to run a command on it."""
    with cluster.database("template0") as name:
        for variable, value in cluster.environment(name, tmp_path).items():
            monkeypatch.setenv(variable, value)
        database = Database(connect(cluster.config(name, tmp_path)))
        yield database
        database.dispose()


def run(command, *arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_an_empty_database_is_not_backed_up(empty, tmp_path):
    with pytest.raises(BackupError, match="there is nothing in the database"):
        raise run(backup.backup, tmp_path / "a").exception
    assert not (tmp_path / "a").exists()
    assert empty


def test_a_database_that_is_being_restored_is_not_backed_up(platform, cluster, tmp_path, monkeypatch):
    name = platform.database.urls.app.database
    for variable, value in cluster.environment(name, tmp_path).items():
        monkeypatch.setenv(variable, value)
    with platform.database.owner.begin() as owner:
        restoring.begin(owner, "another")
    with pytest.raises(BackupError, match="bring that to its end"):
        raise run(backup.backup, tmp_path / "a").exception
    with platform.database.owner.begin() as owner:
        restoring.end(owner)
    assert run(backup.backup, tmp_path / "a").exit_code == 0


def test_a_restore_that_failed_leaves_the_database_empty_and_open(platform, cluster, empty, tmp_path, monkeypatch):
    source = cluster.environment(platform.database.urls.app.database, tmp_path)
    with monkeypatch.context() as patched:
        for variable, value in source.items():
            patched.setenv(variable, value)
        assert run(backup.backup, tmp_path / "a").exit_code == 0
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:-2000])
    with pytest.raises(BackupError):
        raise run(backup.restore, tmp_path / "a", "--no-erasures", "--yes").exception
    with empty.owner.connect() as owner:
        assert is_empty(owner)
        assert restoring.marked(owner) is None


def test_a_database_that_cannot_be_reached_is_said_in_a_line(cluster, empty, tmp_path, monkeypatch):
    monkeypatch.setenv("THREEPEAT_OWNER_URL", cluster.url("owner", "nowhere"))
    with pytest.raises(BackupError, match=r"^the database nowhere: .*does not exist"):
        raise run(backup.backup, tmp_path / "a").exception
    assert empty
