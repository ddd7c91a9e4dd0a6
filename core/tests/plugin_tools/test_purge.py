"""Uninstalled, a plugin keeps what it has; purged, nothing is left but the file."""

import json
import zipfile
from importlib.metadata import distribution

import pytest
from sqlalchemy import create_engine, make_url, text
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.database import migrate
from threepeat.database.migrate import State
from threepeat.events import purging
from threepeat.events.stores import open_store
from threepeat.plugins import Registry, distributions
from threepeat.tenancy import switches
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker


def order(platform, tenant, number, *, worker=True):
    sent = Sender(platform).event(
        "order.paid", "ann", id=f"o{number}", order_id=f"{number}", total=5, currency="CNY"
    )
    assert [one.verdict for one in Sender(platform).batch(tenant, [sent])] == ["accepted"]
    if worker:
        Worker(platform).drain()


def filled(place, visits):
    with place.opened(visits) as platform:
        tenant = open_store(platform, "tea", enable=["visits"], by="test")
        order(platform, tenant, "1")
    return tenant


def test_uninstalled_it_keeps_its_data_and_installed_again_it_goes_on(place, visits):
    tenant = filled(place, visits)
    with place.opened(Registry([])) as platform:
        order(platform, tenant, "2")
        with platform.database.ops.connect() as ops:
            states = {one.schema: one.state for one in migrate.status(ops, platform.database.urls.roles, [])}
    assert states["visits"] is State.DORMANT
    assert place.ask("SELECT orders FROM visits.visit") == [(1,)]
    assert place.ask("SELECT state FROM core.activation WHERE plugin = 'visits'") == [("enabled",)]
    with place.opened(visits) as platform:
        order(platform, tenant, "3")
    assert place.ask("SELECT orders FROM visits.visit") == [(3,)], "what happened meanwhile is made up for"


def test_the_list_tells_what_an_uninstalled_plugin_has_left(place, visits):
    filled(place, visits)
    outcome = CliRunner().invoke(app, ["plugin", "list", "--json"])
    assert outcome.exit_code == 0, outcome.output
    (left,) = [one for one in json.loads(outcome.stdout) if one["id"] == "visits"]
    assert (left["state"], left["stores"]) == ("not installed, its data is kept", 1)
    assert left["personal"] == ["visits.visit (delete)"]
    assert "not installed" in CliRunner().invoke(app, ["plugin", "list"]).stdout


def test_the_list_names_a_plugin_whose_schema_is_pending_or_open(place, visits, monkeypatch):
    filled(place, visits)
    monkeypatch.setattr(Registry, "discover", lambda: visits)
    monkeypatch.setattr(distributions, "of_plugins", lambda: {"visits": distribution("typer")})

    def told():
        found = json.loads(CliRunner().invoke(app, ["plugin", "list", "--json"]).stdout)
        (one,) = [one for one in found if one["id"] == "visits"]
        return one["state"], one["reason"]

    assert told() == ("ok", "")
    engine = create_engine(make_url(place.config.owner_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as owner:
        owner.execute(text("ALTER TABLE visits.visit DISABLE ROW LEVEL SECURITY"))
    state, reason = told()
    assert (state, "open to other tenants" in reason) == ("quarantined", True)
    with engine.begin() as owner:
        owner.execute(text("DROP SCHEMA visits CASCADE"))
    engine.dispose()
    assert told() == ("schema pending", "")


def test_purged_nothing_is_left_but_a_file_that_holds_it_all(place, visits, tmp_path):
    tenant = filled(place, visits)
    export = tmp_path / "visits.zip"
    with place.opened(Registry([])) as platform:
        owner = platform.database.owner
        found = purging.purge(owner, "visits", installed=False, export=export, by="operator:test")
        assert found.stores == ("tea",)
        assert found.tables == {
            "visits.visit": 1, "core.activation": 1, "core.cursor": 1, "core.timer": 1,
        }  # fmt: skip
        with pytest.raises(NotFound), owner.connect() as connection:
            purging.remains(connection, "visits")
        order(platform, tenant, "2")
    assert place.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'visits'") == [(0,)]
    for table in purging.FORGOTTEN:
        assert place.ask(f"SELECT count(*) FROM core.{table} WHERE plugin = 'visits'") == [(0,)]
    trail = "SELECT actor, subject FROM core.{} WHERE action = 'plugin.purged'"
    assert place.ask(trail.format("audit")) == [("operator:test", "visits")]
    assert place.ask(trail.format("operator_audit")) == [("operator:test", "visits")]
    assert export.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(export) as archive:
        rows = [json.loads(line) for line in archive.read("visits.visit.jsonl").splitlines()]
        manifest = json.loads(archive.read("manifest.json"))
    assert [(row["tenant_id"], row["orders"]) for row in rows] == [(tenant.id, 1)]
    assert manifest["revision"] == "0001"
    assert manifest["tables"]["core.timer"] == {"rows": 1}
    with place.opened(visits) as platform, platform.database.tenant(tenant.id) as scope:
        assert "visits" not in switches.activations(scope), "installed again it begins anew"


def test_what_is_on_in_a_store_is_refused_and_the_store_named(place, visits, monkeypatch):
    tenant = filled(place, visits)
    monkeypatch.setattr(distributions, "of_plugins", lambda: {"visits": object()})
    refused = CliRunner().invoke(app, ["plugin", "purge", "visits", "--yes", "--no-export"])
    assert refused.exit_code == 1
    assert "on in tea" in refused.stderr
    with place.opened(visits) as platform, platform.database.tenant(tenant.id) as scope:
        switches.disable(scope, tenant, platform.registry, "visits", by="test", act=platform.act)
    purged = CliRunner().invoke(app, ["plugin", "purge", "visits", "--yes", "--no-export"])
    assert purged.exit_code == 0, purged.stderr
    assert "still installed" in purged.stdout


def test_the_name_has_to_be_typed_again(place, visits, tmp_path, monkeypatch):
    filled(place, visits)
    monkeypatch.chdir(tmp_path)
    wrong = CliRunner().invoke(app, ["plugin", "purge", "visits"], input="visit\n")
    assert (wrong.exit_code, "nothing was deleted" in wrong.stdout) == (1, True)
    assert place.ask("SELECT orders FROM visits.visit") == [(1,)]
    assert not (tmp_path / "visits-purged.zip").exists()
    right = CliRunner().invoke(app, ["plugin", "purge", "visits"], input="visits\n")
    assert right.exit_code == 0, right.stderr
    assert (tmp_path / "visits-purged.zip").is_file()


def test_a_purge_that_fails_leaves_everything(place, visits, tmp_path, monkeypatch):
    filled(place, visits)

    def fail(*_args):
        raise RuntimeError("the disk is full")

    export = tmp_path / "visits.zip"
    monkeypatch.setattr(purging, "_delete", fail)
    with place.opened(Registry([])) as platform, pytest.raises(RuntimeError):
        purging.purge(platform.database.owner, "visits", installed=False, export=export, by="test")
    assert place.ask("SELECT orders FROM visits.visit") == [(1,)]
    assert [file.name for file in tmp_path.iterdir() if "visits" in file.name] == []


@pytest.mark.parametrize(
    ("plugin", "error"),
    [("core", Invalid), ("public", Invalid), ("pg_catalog", Invalid), ("a b", Invalid), ("nothing", NotFound)],
)
def test_what_is_no_plugin_cannot_be_purged(place, plugin, error):
    with place.opened(Registry([])) as platform, pytest.raises(error):
        purging.purge(platform.database.owner, plugin, installed=False, export=None, by="test")


def test_a_schema_that_threepeat_has_not_made_is_left_alone(place):
    with place.opened(Registry([])) as platform:
        with platform.database.owner.begin() as owner:
            owner.execute(text("CREATE SCHEMA reports"))
        with pytest.raises(Invalid, match="not made by Threepeat"):
            purging.purge(platform.database.owner, "reports", installed=False, export=None, by="test")


def test_no_file_is_overwritten(place, visits, tmp_path):
    filled(place, visits)
    export = tmp_path / "visits.zip"
    export.write_text("old")
    with place.opened(Registry([])) as platform, pytest.raises(Conflict):
        purging.purge(platform.database.owner, "visits", installed=False, export=export, by="test")
    assert export.read_text() == "old"
