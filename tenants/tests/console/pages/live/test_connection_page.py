"""Keys and connection: keys that are shown once, what comes in, what does not, and what is needed."""

import re

from sqlalchemy import text

from threepeat.tenancy import keys

SCRIPT = "<script>alert(1)</script>"
REFUSE = text(
    "INSERT INTO core.refusal (tenant_id, type, verdict, detail) VALUES (:tenant, :type, 'invalid', :field)"
)
KEY = re.compile(r"tp_live_\d+_[0-9a-f]{12}_[\w-]{43}")


def standing(shop):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        return [one for one in keys.list_keys(scope) if one.revoked_at is None]


def test_a_key_is_made_shown_once_and_revoked(shop):
    assert "nothing can send events" in shop.get("/connection")
    page = shop.follow("/connection/keys", {"name": f"  till {SCRIPT}", "scopes": ["ingest", "read"]})
    [made] = set(KEY.findall(page))
    assert "YOUR_KEY" not in page
    assert "<script>alert" not in page
    again = shop.get("/connection")
    assert not KEY.findall(again)
    assert "YOUR_KEY" in again
    [key] = standing(shop)
    assert (key.name, key.scopes, key.created_by) == (f"till {SCRIPT}", {"ingest", "read"}, shop.by)
    headers = {"Authorization": f"Bearer {made}"}
    assert shop.consoles.http.get("/v1/tactics", headers=headers).status_code == 200
    assert "is revoked" in shop.follow(f"/connection/keys/{key.id}/revoke")
    assert shop.consoles.http.get("/v1/tactics", headers=headers).status_code == 401
    assert standing(shop) == []
    assert "opens nothing any more" in shop.follow(f"/connection/keys/{key.id}/revoke")
    for wrong in ("x", "%3Cb%3E", "a" * 5000):
        assert "opens nothing any more" in shop.follow(f"/connection/keys/{wrong}/revoke")
    assert shop.trail().count((shop.by, "key.created")) == shop.trail().count((shop.by, "key.revoked")) == 1
    for entry in shop.trail():
        assert made not in str(entry)


def test_a_form_that_is_wrong_says_where_and_keeps_what_was_typed(shop):
    for name in ("", "   ", "x" * 5000, "a\tb", "\u2028"):
        page = shop.post("/connection/keys", {"name": name, "scopes": "read"}, status=422)
        assert 'id="name-error"' in page
        assert re.search(r'value="read" checked', page)
        assert not re.search(r'value="ingest" checked', page)
    for scopes in ([], ["all"], ["ingest", SCRIPT], ["ingest\0"]):
        page = shop.post("/connection/keys", {"name": "till <b>", "scopes": scopes}, status=422)
        assert "till &lt;b&gt;" in page or "not text" in page
        assert "<script>alert" not in page
    assert standing(shop) == []


def test_only_owners_make_keys(shop, make_shop):
    shop.follow("/connection/keys", {"name": "till", "scopes": "ingest"})
    [key] = standing(shop)
    for role in ("analyst", "operator"):
        person = shop.staff(role)
        page = shop.get("/connection", who=person)
        assert "till" in page
        assert "Only an owner" in page
        assert "/revoke" not in page
        shop.post("/connection/keys", {"name": "x", "scopes": "manage"}, status=403, who=person)
        shop.post(f"/connection/keys/{key.id}/revoke", status=403, who=person)
    other = make_shop("points")
    assert other.owner.get(f"{shop.root}/connection").status_code == 303
    assert "opens nothing any more" in other.follow(f"/connection/keys/{key.id}/revoke")
    assert "till" not in other.get("/connection")
    assert [one.id for one in standing(shop)] == [key.id]
    assert (
        shop.owner.post(f"{shop.root}/connection/keys", {"name": "x", "scopes": "read"}, csrf=False).status_code
        == 403
    )


def test_what_came_in_and_what_did_not_is_told(shop, queries):
    shop.get("/connection")
    queries.clear()
    assert "none yet" in shop.get("/connection")
    few = len(queries)
    for number in range(3):
        shop.order(f"m{number}")
    shop.drain()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        for number in range(12):
            scope.run(REFUSE, type="order.paid" if number else "", field="data.total" if number else "")
            keys.create_key(scope, shop.platform.keyring, f"key {number}", ["read"], by="test")
    queries.clear()
    page = shop.get("/connection")
    assert len(queries) == few <= 12
    # Points' answers are no events of the store.
    assert re.search(r"Events today</span><strong>3<", page)
    assert "Look at the field data.total." in page
    assert "It cannot be read as an event." in page
    assert page.count("#event-order.paid") == 11


def test_events_are_explained_for_the_tactics_that_are_on(shop, make_shop):
    page = shop.get("/connection")
    for words in (
        "order.paid",
        "Order paid",
        "visit.made",
        "money, in the smallest unit",
        "currency code",
        "Parrot",
    ):
        assert words in page, words
    assert "points.earned" not in page
    assert "No tactic is on" in make_shop().get("/connection")
