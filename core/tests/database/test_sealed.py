"""A call into a plugin while the server goes away: that is nobody's doing, and may be tried again."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.lost import is_lost
from threepeat.database.sealed import BrokenTurnError, plugin_call

ONE = text("SELECT 1")


def says_nothing(_scope):
    """Finds nothing out."""


def asks(scope):
    """Finds the server gone."""
    scope.run(ONE)


def fails(_scope):
    """Fails for a reason of its own."""
    raise ValueError("something else")


@pytest.mark.parametrize("then", [says_nothing, asks, fails])
def test_a_server_that_goes_away_is_a_lost_connection_and_no_transaction_ended_by_hand(
    cluster, platform, tenant, then
):
    def call():
        with platform.database.tenant(tenant.id) as scope, plugin_call(scope.connection):
            with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
                pid = scope.one(text("SELECT pg_backend_pid()"))[0]
                assert admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
            then(scope)

    with pytest.raises(DBAPIError) as lost:
        call()
    assert is_lost(lost.value)


def test_a_transaction_that_was_ended_past_the_driver_breaks_the_turn(platform, tenant):
    def call():
        with platform.database.tenant(tenant.id) as scope, plugin_call(scope.connection):
            scope.connection.connection.driver_connection.pgconn.exec_(b"ROLLBACK")
            fails(scope)

    with pytest.raises(BrokenTurnError):
        call()
