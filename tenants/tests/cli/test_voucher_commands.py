"""Vouchers from a terminal: a template, a batch's codes as a file, and one that is given by hand."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.events.platform import KeyConfig, Platform
from threepeat.tenancy import members
from threepeat.worker.loop import Worker

TEMPLATE = '{"name": "Five off", "kind": "fixed", "amount": 500, "threshold": 2000}'


@pytest.fixture(scope="module")
def tea(cluster, tmp_path_factory):
    """Runs commands on a store with a member; `run.drain()` lets a worker do what waits."""
    runner = CliRunner()
    with cluster.database() as name, pytest.MonkeyPatch.context() as patch:
        environment = cluster.environment(name, tmp_path_factory.mktemp("data"))
        for key, value in environment.items():
            patch.setenv(key, value)
        patch.setenv("COLUMNS", "200")
        config = cluster.config(name, Path(environment["THREEPEAT_DATA"]))
        platform = Platform.open(config, keys=KeyConfig(keys=environment["THREEPEAT_KEYS"]))

        def run(*arguments, code=0):
            done = runner.invoke(app, ["--log-level", "error", *arguments])
            assert done.exit_code == code, (done.output, done.exception)
            return done.output

        run("tenant", "create", "tea")
        with platform.database.directory() as connection:
            tenant = connection.exec_driver_sql("SELECT id FROM core.tenant").scalar_one()
        with platform.database.tenant(tenant) as scope:
            members.resolve(scope, platform.keyring, ["ann"])
        run.drain = Worker(platform).drain
        yield run
        platform.database.dispose()


def test_a_template_gives_by_hand_and_by_codes(tea, tmp_path):
    made = tea("collection", "create", "tea", "vouchers", "templates", TEMPLATE)
    template = re.search(r"vouchers/templates/(\d+) is draft", made)[1]
    give = ("member", "adjust", "tea", "ann", "vouchers", "--give", "2", "--reason", "sorry")
    assert "no more of it" in tea(*give, "--item", template, code=1)
    assert "is active" in tea("collection", "act", "tea", "vouchers", "templates", template, "activate")
    assert "say which one" in tea(*give, code=1)
    assert "ann has 2 vouchers now" in tea(*give, "--item", template)
    assert "only one of this kind" in tea(
        "member", "adjust", "tea", "ann", "points", "--give", "2", "--item", "1", "--reason", "x", code=1
    )
    where = ("tea", "vouchers", "batches")
    made = tea("collection", "create", *where, f'{{"name": "Flyer", "template": "{template}", "size": 3}}')
    batch = re.search(r"vouchers/batches/(\d+) is making", made)[1]
    assert "making" in tea("collection", "file", *where, batch, code=1)
    tea.drain()
    assert "possible now: update, void, file" in tea("collection", "show", *where, batch)
    target = tmp_path / "codes.csv"
    tea("collection", "file", *where, batch, "--output", str(target))
    lines = target.read_text("utf-8-sig").splitlines()
    assert [len(lines), lines[0]] == [4, "Number,Code"]
    assert tea("collection", "file", *where, batch).lstrip("\ufeff").split() == lines
    assert "cannot be written" in tea("collection", "file", *where, batch, "-o", str(tmp_path), code=1)
    assert "has no files" in tea("collection", "file", "tea", "vouchers", "templates", template, code=1)
