"""Opening a store: all of it or nothing, whatever breaks in between."""

import pytest
from sqlalchemy import text

from threepeat.events import stores
from threepeat.events.stores import OPENING, open_store, opening
from threepeat.tenancy import tenants
from threepeat.tenancy.errors import Invalid, NotAllowed, NotFound
from threepeat.tenancy.keys import create_key

TRACES = text("""
    SELECT (SELECT count(*) FROM core.tenant) + (SELECT count(*) FROM core.stream)
         + (SELECT count(*) FROM core.turn) + (SELECT count(*) FROM core.activation)
         + (SELECT count(*) FROM core.cursor)
         + (SELECT count(*) FROM core.backlog)
""")


class StopError(Exception):
    """The process stops here."""


def traces(platform):
    with platform.database.ops.begin() as ops:
        return ops.execute(TRACES).scalar_one()


def found(platform, slug):
    with platform.database.directory() as connection:
        return tenants.by_slug(connection, slug)


def break_off(platform):
    with opening(platform, "tea", by="test") as (tenant, scope):
        assert tenant.suspended_at is None
        create_key(scope, platform.keyring, "key", ["ingest"], by="test")
        raise StopError


def test_a_store_that_fails_while_it_is_filled_leaves_nothing_and_can_be_opened_again(platform):
    with pytest.raises(StopError):
        break_off(platform)
    assert traces(platform) == 0
    with pytest.raises(NotFound):
        open_store(platform, "tea", enable=["nope"], by="test")
    with pytest.raises(NotAllowed), opening(platform, "tea", by="test"):
        raise NotAllowed("not this one")
    assert traces(platform) == 0
    assert open_store(platform, "tea", enable=["points"], by="test") == found(platform, "tea")


def test_what_a_crash_leaves_is_suspended_and_cleared_away_by_the_next_attempt(platform, monkeypatch, client):
    monkeypatch.setattr(stores, "OPEN", text("SELECT 1 / 0, CAST(:tenant AS bigint)"))
    with pytest.raises(Exception, match="division"), opening(platform, "tea", by="test") as (tenant, scope):
        key = create_key(scope, platform.keyring, "key", ["read"], by="test")
    monkeypatch.undo()
    half = found(platform, "tea")
    assert (half.id, half.suspended_reason) == (tenant.id, OPENING)
    assert client.get("/v1/tactics", headers={"Authorization": f"Bearer {key}"}).status_code == 403

    whole = open_store(platform, "tea", by="test")
    assert whole.id != half.id
    assert found(platform, "tea").suspended_at is None
    assert client.get("/v1/tactics", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    with platform.database.ops.begin() as ops:
        assert ops.execute(text("SELECT count(*) FROM core.api_key")).scalar_one() == 0


def test_a_store_that_is_being_opened_is_not_cleared_away(platform):
    with (
        opening(platform, "tea", by="test"),
        pytest.raises(Invalid, match="'tea' is taken"),
        opening(platform, "tea", by="test"),
    ):
        pass
    assert found(platform, "tea").suspended_at is None


@pytest.mark.parametrize("slug", ["", "Tea", "a\0b", "\ud800", "x" * 64])
def test_a_slug_that_cannot_be_is_refused_before_anything_is_looked_up(platform, slug):
    with pytest.raises(Invalid, match="slug"):
        open_store(platform, slug, by="test")
