"""What a plugin could not handle, for the merchant."""

import pytest
from sqlalchemy import text

LETTERS = text("""
    INSERT INTO core.dead_letter (tenant_id, plugin, position, error, behind, state, attempts)
    SELECT :tenant, 'points', n, '<script>alert(1)</script>', CASE WHEN n = 2 THEN 1 END, 'waiting', 3
    FROM generate_series(1, :many) n
""")
STATES = text("SELECT position, state FROM core.dead_letter WHERE tenant_id = :tenant ORDER BY position")
ONE = {"plugin": "points", "kind": "event", "reference": "1"}


@pytest.fixture
def troubled(shop):
    fill(shop, 3)
    return shop


def fill(shop, many):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(LETTERS, many=many)


def states(shop):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        return {row.position: row.state for row in scope.run(STATES)}


def test_they_are_listed_as_text_with_what_can_be_done(troubled, make_shop):
    page = troubled.get("/letters")
    assert page.count("&lt;script&gt;alert(1)") == 3
    assert "<script>alert" not in page
    assert "waits behind an earlier event" in page
    assert page.count("Yes, let it go") == 2
    assert "Nothing waits here" in make_shop().get("/letters")
    for hostile in ("?skip=-1", "?skip=99999", "?plugin=%00", "?plugin=<script>", "?skip=x"):
        troubled.get(f"/letters{hostile}")


def test_pages_follow_each_other(shop):
    fill(shop, 31)
    assert "skip=30" in shop.get("/letters")
    page = shop.get("/letters?skip=30")
    assert page.count("Waits for you") == 1
    assert 'rel="prev"' in page


def test_one_is_tried_again_and_another_let_go(troubled):
    assert "1 is tried again." in troubled.follow("/letters/retry", ONE)
    assert (troubled.by, "letters.retried", "points") in troubled.trail()
    assert "It is let go." in troubled.follow("/letters/drop", ONE | {"reference": "3"})
    assert (troubled.by, "letter.dropped", "points/event/3") in troubled.trail()
    assert states(troubled) == {1: "retry", 2: "waiting", 3: "dropped"}
    for path in ("retry", "drop"):
        assert "not there any more" in troubled.follow(f"/letters/{path}", ONE)
    assert "1 is tried again." in troubled.follow("/letters/retry", {"plugin": "points"})


@pytest.mark.parametrize("wrong", [{"kind": "nobody"}, {"reference": "x"}, {"reference": "9" * 40}])
def test_hostile_values_are_refused(troubled, wrong):
    for path in ("retry", "drop"):
        troubled.post(f"/letters/{path}", ONE | wrong, 422)
    assert set(states(troubled).values()) == {"waiting"}


def test_an_analyst_looks_and_another_store_has_none_of_it(troubled, make_shop):
    analyst = troubled.consoles.staff(troubled.tenant, role="analyst")
    assert "Try again" not in troubled.get("/letters", who=analyst)
    troubled.post("/letters/retry", ONE, 403, who=analyst)
    troubled.post("/letters/drop", ONE, 403, who=analyst)
    make_shop("points").post("/letters/retry", ONE)
    make_shop("points").post("/letters/drop", ONE)
    assert set(states(troubled).values()) == {"waiting"}
