"""What an operator sees of a store and decides about it."""

import re

import pytest

from threepeat.tenancy import keys, tenants


@pytest.mark.usefixtures("many")
def test_the_list_is_searched_and_paged(op):
    first = op.get("/operator/stores?q=many-")
    assert first.text.count('href="/operator/stores/many-') == 50
    after = re.search(r'rel="next" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    second = op.get(after)
    assert second.text.count('href="/operator/stores/many-') == 10
    assert "many-00060" in second.text
    assert "Store 7<" in op.get("/operator/stores?q=store%207").text
    for none in ("%25", "_", "%5C", "no%20such"):
        assert "No store is called so" in op.get(f"/operator/stores?q={none}").text, none
    assert "No event yet" in first.text


def test_a_store_moves_to_another_plan(op, opened, trail):
    slug = opened()
    op.post("/operator/plans/new", {"id": "roomy", "title": "Roomy", "cap": "5", "which": "all"})
    answer = op.post(f"/operator/stores/{slug}/plan", {"plan": "roomy"})
    assert answer.status_code == 303
    page = op.get(answer.headers["location"]).text
    assert "This store is on Roomy now." in page
    assert "5 tactics at a time" in page
    assert (f"operator:{op.session.person.id}", "plan.assigned") in trail(slug)
    assert trail(slug).count((f"operator:{op.session.person.id}", "plan.assigned")) == 1
    op.post(f"/operator/stores/{slug}/plan", {"plan": "roomy"})
    assert trail(slug).count((f"operator:{op.session.person.id}", "plan.assigned")) == 1
    for wrong in ("", "no-such", "10" + "0" * 30, "<b>"):
        answer = op.post(f"/operator/stores/{slug}/plan", {"plan": wrong})
        assert answer.status_code == 422
        assert 'id="plan-error"' in answer.text
        assert "<b>&#39;" not in answer.text


def test_what_a_store_may_have_is_decided_for_it(op, opened, trail):
    slug = opened()
    path = f"/operator/stores/{slug}/plugins/checkin"
    shown = {"plan": "As its plan says: allowed", "no": "Forbidden", "yes": "Allowed"}
    for choice in ("no", "yes", "plan"):
        answer = op.post(path, {"allowed": choice})
        assert answer.headers["location"] == f"/operator/stores/{slug}#plugins"
        page = op.get(f"/operator/stores/{slug}").text
        assert re.search(f'value="{choice}" selected>{shown[choice]}<', page), choice
    who = f"operator:{op.session.person.id}"
    assert [action for actor, action in trail(slug) if actor == who][-3:] == [
        "plugin.forbidden", "plugin.allowed", "plugin.by-plan",
    ]  # fmt: skip
    assert op.post(path, {"allowed": "maybe"}).status_code == 422
    assert op.post(f"/operator/stores/{slug}/plugins/no-such", {"allowed": "yes"}).status_code == 404
    assert op.post(f"/operator/stores/{slug}/plugins/points/resume").status_code == 404


PAUSE = """
    UPDATE core.cursor SET paused_at = now(), paused_reason = '<b>many</b> letters'
    WHERE plugin = 'points' AND tenant_id = (SELECT id FROM core.tenant WHERE slug = :slug) RETURNING plugin
"""


def test_a_paused_plugin_goes_on(op, opened, rows, trail):
    slug = opened()
    rows(PAUSE, slug=slug)
    listed = op.get("/operator/causes/paused").text
    assert f'href="/operator/stores/{slug}"' in listed
    page = op.get(f"/operator/stores/{slug}").text
    assert "&lt;b&gt;many" in page
    assert op.post(f"/operator/stores/{slug}/plugins/points/resume").status_code == 303
    assert "many" not in op.get(f"/operator/stores/{slug}").text
    assert (f"operator:{op.session.person.id}", "plugin.resumed") in trail(slug)


def test_a_store_is_suspended_with_a_reason_and_goes_on(consoles, op, opened, trail):
    slug = opened()
    with consoles.platform.database.directory() as connection:
        tenant = tenants.by_slug(connection, slug)
    owner = consoles.staff(tenant)
    path = f"/operator/stores/{slug}/suspend"
    assert "What will happen" in op.get(path).text
    for wrong in ("", "x" * 5000, "a\u2028b"):
        answer = op.post(path, {"reason": wrong})
        assert answer.status_code == 422
        assert 'id="reason-error"' in answer.text
    reason = '<script>alert("x")</script> the bill'
    assert op.post(path, {"reason": reason}).status_code == 303
    page = op.get(f"/operator/stores/{slug}").text
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert owner.get(f"/store/{slug}/account").status_code == 403
    assert "<script>alert" not in op.get("/operator/causes/suspended").text
    again = op.post(path, {"reason": "twice"})
    assert "suspended already" in op.get(again.headers["location"]).text
    assert op.post(f"/operator/stores/{slug}/reactivate").status_code == 303
    assert owner.get(f"/store/{slug}/account").status_code == 200
    assert "It is not suspended" in op.get(op.post(f"/operator/stores/{slug}/reactivate").headers["location"]).text
    who = f"operator:{op.session.person.id}"
    assert [action for actor, action in trail(slug) if actor == who and action.startswith("store.")] == [
        "store.onboarded", "store.suspended", "store.reactivated",
    ]  # fmt: skip


def test_a_key_is_revoked_after_it_was_asked(consoles, op, trail):
    with consoles.platform.database.tenant(consoles.coffee.id) as scope:
        key = keys.create_key(scope, consoles.platform.keyring, "<i>till</i>", ["read"], by="test")
    key_id = key.split("_")[3]
    page = op.get("/operator/stores/coffee").text
    assert "&lt;i&gt;till" in page
    assert "cannot be brought back" in page
    # It is this store's: another one's page does not reach it.
    assert op.post(f"/operator/stores/tea/keys/{key_id}/revoke").status_code == 404
    headers = {"Authorization": f"Bearer {key}"}
    assert consoles.http.get("/v1/tactics", headers=headers).status_code == 200
    assert op.post(f"/operator/stores/coffee/keys/{key_id}/revoke").status_code == 303
    assert consoles.http.get("/v1/tactics", headers=headers).status_code == 401
    assert op.post(f"/operator/stores/coffee/keys/{key_id}/revoke").status_code == 404
    assert (f"operator:{op.session.person.id}", "key.revoked") in trail("coffee")


LETTER = """
    INSERT INTO core.dead_letter (tenant_id, plugin, position, error, attempts, state, created_at)
    SELECT id, 'points', :position, '<b>broken</b>', 3, 'waiting', now() FROM core.tenant WHERE slug = :slug
    RETURNING position
"""


def test_letters_are_tried_again_and_dropped(op, opened, rows, trail):
    slug = opened()
    for position in (7001, 7002):
        rows(LETTER, slug=slug, position=position)
    assert f"/operator/stores/{slug}/letters?plugin=points" in op.get("/operator/letters").text
    page = op.get(f"/operator/stores/{slug}/letters?plugin=points").text
    assert "&lt;b&gt;broken" in page
    assert "No. 7001" in page
    assert "No dead letters" in op.get(f"/operator/stores/{slug}/letters?plugin=welcome").text
    one = {"plugin": "points", "kind": "event", "reference": "7001"}
    before = f"/operator/stores/{slug}/letters"
    host = op.http.base_url
    answer = op.post(f"{before}/drop", one, Referer=f"{str(host).rstrip('/')}{before}?plugin=points")
    assert answer.headers["location"] == f"{before}?plugin=points"
    assert op.post(f"{before}/drop", one).status_code == 404
    answer = op.post(f"{before}/retry", {"plugin": "points"}, Referer="https://elsewhere.example/operator/")
    assert answer.headers["location"] == before
    assert "1 letter is tried again." in op.get(before).text
    op.post(f"{before}/retry", {"plugin": "points"})
    assert "There was nothing left to try." in op.get(before).text
    who = f"operator:{op.session.person.id}"
    assert [action for actor, action in trail(slug) if actor == who and "letter" in action] == [
        "letter.dropped", "letters.retried",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [{"kind": "odd"}, {"plugin": "points", "kind": "event", "reference": "x"}, {"reference": "1"},
     {"plugin": "points", "kind": "event", "reference": "9" * 5000}],
)  # fmt: skip
def test_a_letter_that_cannot_be_is_refused(op, given):
    for what in ("retry", "drop"):
        answer = op.post(
            f"/operator/stores/tea/letters/{what}", {"plugin": "", "kind": "", "reference": "", **given}
        )
        assert answer.status_code in {404, 422}, what


def test_the_history_names_who_did_what(op, opened):
    slug = opened()
    op.post(f"/operator/stores/{slug}/plugins/checkin", {"allowed": "no"})
    page = op.get(f"/operator/stores/{slug}/history").text
    assert "Forbade a plugin to the store" in page
    assert "Check-in" in page
    assert "Olga" in page
    op.cookies["__Host-threepeat-locale"] = "zh-CN"
    assert "禁止店铺使用插件" in op.get(f"/operator/stores/{slug}/history").text
    del op.cookies["__Host-threepeat-locale"]
    for _ in range(30):
        op.post(f"/operator/stores/{slug}/plugins/checkin", {"allowed": "yes"})
        op.post(f"/operator/stores/{slug}/plugins/checkin", {"allowed": "plan"})
    first = op.get(f"/operator/stores/{slug}/history").text
    older = op.get(re.search(r'rel="next" href="([^"]+)"', first)[1]).text
    assert "Opened the store" in older
    assert "Opened the store" not in first
