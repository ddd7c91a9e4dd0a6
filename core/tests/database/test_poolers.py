"""A pooler in transaction mode: nothing of a session is left on the server, and nobody uses one unsaid."""

import asyncio
from dataclasses import replace

import pytest
from psycopg import AsyncConnection
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.database import restoring
from threepeat.database.asynchronous import conninfo, in_tenant, options
from threepeat.database.config import driver_url
from threepeat.database.engine import Database, Timeouts
from threepeat.database.poolers import PoolerError
from threepeat.events.platform import KeyConfig, Platform
from threepeat.tenancy.keyring import new_line

TIMES = 12
"""More often than the driver needs to find a statement worth preparing."""
PREPARED = "SELECT count(*) FROM pg_prepared_statements"
TIMEOUTS = Timeouts(statement=4321, lock=3210, idle=2109)
SHOWN = """
    SELECT current_setting('threepeat.tenant', true), current_setting('statement_timeout'),
           current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')
"""
BOUND = ("4321ms", "3210ms", "2109ms")


@pytest.fixture
def pooler(cluster):
    if cluster.pooler is None:
        pytest.skip("there is no pooler: `make test-servers` starts one")
    return cluster.pooler


def through(pooler, url):
    host, port = pooler
    return make_url(url).set(host=host, port=port).render_as_string(hide_password=False)


def prepared(database, tenant):
    """How many statements are kept on the server after many transactions that run the same ones."""
    for _ in range(TIMES):
        with database.tenant(tenant.id) as scope:
            kept = scope.one(text(PREPARED))[0]
    return kept


@pytest.mark.parametrize("pooled", [True, False])
def test_behind_a_pooler_no_statement_is_kept_for_the_next_transaction(platform, tenant, pooled):
    if not pooled and platform.database.urls.app_pooled:
        pytest.skip("a pooler stands in front")
    database = Database(replace(platform.database.urls, app_pooled=pooled), pool_size=1)
    try:
        assert (prepared(database, tenant) == 0) is pooled
    finally:
        database.dispose()


@pytest.mark.parametrize("pooled", [True, False])
def test_the_asynchronous_road_keeps_none_either(platform, tenant, pooled):
    if not pooled and platform.database.urls.app_pooled:
        pytest.skip("a pooler stands in front")
    urls = replace(platform.database.urls, app_pooled=pooled)

    async def run():
        async with await AsyncConnection.connect(conninfo(urls), **options(urls, "test")) as connection:
            for _ in range(TIMES):
                async with in_tenant(connection, tenant.id):
                    found = await (await connection.execute(PREPARED)).fetchone()
            return found[0]

    assert (asyncio.run(run()) == 0) is pooled


def test_tenant_and_timeouts_hold_for_one_transaction(platform, tenant, other_tenant):
    urls = platform.database.urls

    async def run():
        async with await AsyncConnection.connect(conninfo(urls), **options(urls, "test")) as connection:
            seen = []
            for one, timeouts in ((tenant, TIMEOUTS), (other_tenant, None)):
                async with in_tenant(connection, one.id, timeouts):
                    seen.append(await (await connection.execute(SHOWN)).fetchone())
            seen.append(await (await connection.execute(SHOWN)).fetchone())
            return seen

    bounded, free, outside = asyncio.run(run())
    assert bounded == (str(tenant.id), *BOUND)
    assert free == (str(other_tenant.id), "1min", "10s", "1min")
    assert outside == ("", "1min", "10s", "1min")


@pytest.mark.usefixtures("pooler")
def test_an_app_url_through_a_pooler_has_to_be_said(cluster, platform, tmp_path):
    config = cluster.config(platform.database.urls.app.database, tmp_path)
    unsaid = config.model_copy(update={"app_pooled": False})
    with pytest.raises(PoolerError, match="set THREEPEAT_APP_POOLED=true"):
        Platform.open(unsaid, keys=KeyConfig(keys=new_line()))


@pytest.mark.parametrize("role", ["owner", "ops"])
def test_the_other_urls_name_the_server_itself(cluster, pooler, platform, role):
    url = driver_url(through(pooler, cluster.url(role, platform.database.urls.app.database)))
    database = Database(replace(platform.database.urls, **{role: url}))
    for _ in range(2):
        with pytest.raises(PoolerError, match=f"THREEPEAT_{role.upper()}_URL leads through a pooler"):
            getattr(database, role).connect()
    database.dispose()


@pytest.mark.usefixtures("pooler")
def test_the_command_line_says_what_to_set(cluster, platform, tmp_path, monkeypatch):
    for name, value in cluster.environment(platform.database.urls.app.database, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    monkeypatch.setenv("THREEPEAT_APP_POOLED", "false")
    refused = CliRunner().invoke(app, ["doctor"])
    assert refused.exit_code == 1
    assert "set THREEPEAT_APP_POOLED=true, or name the server itself" in refused.output


@pytest.mark.parametrize("role", ["app", "owner", "ops"])
def test_a_restore_goes_past_the_pooler_and_is_known_by_what_it_says(platform, role):
    urls = replace(platform.database.urls, app_pooled=True)
    database = Database(restoring.admitted(urls, "a-backup"))
    with getattr(database, role).connect() as connection:
        said = connection.execute(text("SELECT current_user, current_setting('threepeat.restores')")).one()
    database.dispose()
    assert tuple(said) == (getattr(urls.roles, role), "a-backup")
