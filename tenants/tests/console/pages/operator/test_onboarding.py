"""A store is opened once, with everything it needs, and its secrets are shown a single time."""

import re

import pytest

from threepeat_tenants.operating.stores import short_name

KEY = re.compile(r"tp_live_[0-9]+_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
LINK = re.compile(r"http://[^\s<]+(/welcome/[^\s<]+)<")


def event(kind="order.paid", **data):
    made = {"order_id": "1", "total": 100, "currency": "CNY", **data}
    return {
        "specversion": "1.0", "type": kind, "source": "shop", "id": "a", "subject": "bob", "data": made,
    }  # fmt: skip


def send(http, key, sent):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    return http.post("/v1/events", json=sent, headers=headers)


def test_a_store_is_opened_and_connected(consoles, op, filled, trail):
    form = filled()
    answer = op.post("/operator/stores/new", form)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where == f"/operator/stores/{form['slug']}/connect"

    page = op.get(where).text
    key, link = KEY.search(page)[0], LINK.search(page)[1]
    assert f"{form['name']} is open." in page
    assert "Points" in page
    for name in ("curl", "Python", "Node.js", "PHP"):
        assert f">{name}</label>" in page
    assert page.count(key) == 5  # itself, and in four snippets
    assert "Waiting for the first event" in page
    assert f'data-refresh="{where.removesuffix("/connect")}/first-event" data-every="2"' in page

    # Nothing shows it again: neither the same page nor the store's.
    again = op.get(where).text
    assert not KEY.search(again)
    assert not LINK.search(again)
    assert not KEY.search(op.get(f"/operator/stores/{form['slug']}").text)

    fragment = f"/operator/stores/{form['slug']}/first-event"
    assert send(consoles.http, key, event(total="much")).status_code == 422
    waiting = op.get(fragment).text
    assert "Look at the field data.total." in waiting
    assert 'data-every="2"' in waiting
    assert send(consoles.http, key, event()).status_code == 200
    come = op.get(fragment).text
    assert "The first event has come." in come
    assert "data-refresh" not in come

    owner = consoles.guest()
    assert "Ann" in owner.get(link).text
    entered = owner.post(link, {"password": "four quiet words here"})
    assert entered.headers["location"] == f"/store/{form['slug']}"
    actor = f"operator:{op.session.person.id}"
    assert {action for who, action in trail(form["slug"]) if who == actor} >= {
        "store.onboarded", "key.created", "staff.added", "staff.link_made", "plugin.enabled",
    }  # fmt: skip


def test_what_is_shown_once_is_nobody_elses(consoles, op, filled):
    form = filled()
    where = op.post("/operator/stores/new", form).headers["location"]
    name = "__Host-threepeat-once"
    left = op.cookies[name]
    assert "tp_live" not in left
    other = consoles.operator()
    other.cookies[name] = left
    assert not KEY.search(other.get(where).text)
    for broken in (left[:-4] + "AAAA", "x", "é".encode().decode("latin-1"), "a.b.c"):
        op.cookies[name] = broken
        assert not KEY.search(op.get(where).text)
    op.cookies[name] = left
    assert not KEY.search(op.get("/operator/operators").text)
    op.cookies[name] = left
    assert KEY.search(op.get(where).text)


def test_a_key_that_was_left_too_long_is_not_shown(op, filled, monkeypatch):
    monkeypatch.setattr("threepeat_tenants.console.once.SECONDS", -1)
    form = filled()
    where = op.post("/operator/stores/new", form).headers["location"]
    assert not KEY.search(op.get(where).text)


def test_pressed_twice_opens_one_store(consoles, op, filled, rows):
    form = filled(slug="", name="Press Twice")
    first, second = (op.post("/operator/stores/new", form) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"] == "/operator/stores/press-twice/connect"
    assert "opened already" in op.get(second.headers["location"]).text
    assert len(rows("SELECT FROM core.tenant WHERE slug LIKE 'press-twice%'")) == 1

    # Somebody else who means another store is told, and what they typed stays.
    other = consoles.operator().post("/operator/stores/new", form)
    assert other.status_code == 422
    assert "press-twice-2 is free" in other.text
    assert 'value="Press Twice"' in other.text
    assert re.search(r'value="tea-coffee" required checked', other.text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "x" * 5000), ("slug", "Not Good!"), ("slug", "a" * 5000), ("slug", "new"),
        ("blueprint", ""), ("blueprint", "no-such"), ("blueprint", "../plans"), ("plan", "no-such"),
        ("plan", "9" * 5000), ("currency", "XXQ"), ("currency", "10" + "0" * 30), ("timezone", "Mars/Base"),
        ("timezone", "../../etc/passwd"), ("owner_name", ""), ("owner_email", ""), ("owner_email", "x" * 5000),
        ("owner_phone", "1"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_at_its_field(op, filled, rows, field, value):
    form = filled() | {field: value}
    if field == "slug":
        form["name"] = "<b>Bold</b>"
    answer = op.post("/operator/stores/new", form)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text, field
    assert f'href="#{field}"' in answer.text
    assert "<b>Bold" not in answer.text
    assert not rows("SELECT FROM core.tenant WHERE slug = :slug", slug=form["slug"])
    assert 'autocomplete="off" maxlength="100" required' in answer.text
    if field != "owner_name":
        assert 'value="Ann"' in answer.text


@pytest.mark.parametrize("value", [b"%00", b"%ED%A0%80", b"%FF"])
def test_what_is_no_text_is_refused(op, filled, value):
    op.cookies["x"] = "y"
    body = "&".join(f"{name}={given}" for name, given in filled().items() if name != "name").encode()
    headers = {
        "Cookie": "; ".join(f"{name}={given}" for name, given in op.cookies.items()),
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = op.http.post("/operator/stores/new", content=body + b"&name=" + value, headers=headers)
    assert answer.status_code == 422
    assert "name" in answer.text


def test_names_are_text_wherever_they_show(op, filled):
    form = filled(name='<script>alert("x")</script>', owner_name="<img src=x>")
    where = op.post("/operator/stores/new", form).headers["location"]
    slug = form["slug"]
    for path in (where, where, f"/operator/stores/{slug}", f"/operator/stores?q={slug}", "/operator/usage",
                 f"/operator/stores/{slug}/suspend", f"/operator/stores/{slug}/letters", "/operator/",
                 f"/operator/stores/{slug}/history"):  # fmt: skip
        text = op.get(path).text
        assert "<script>alert" not in text, path
        assert "<img src" not in text, path
    assert "&lt;script&gt;" in op.get(f"/operator/stores/{slug}").text


def test_a_cheaper_plan_leaves_out_what_it_does_not_allow(op, filled):
    plan = {"id": "small", "title": "Small", "cap": "1", "which": "all"}
    assert op.post("/operator/plans/new", plan).status_code == 303
    where = op.post("/operator/stores/new", filled(plan="small")).headers["location"]
    assert "Not everything could be switched on" in op.get(where).text
    assert "Not everything could be switched on" not in op.get(where).text


def test_the_short_name_is_proposed(op):
    assert 'value="tea-house"' in op.get("/operator/short-name?name=Tea%20House").text
    assert 'value="mine"' in op.get("/operator/short-name?name=Tea&slug=mine").text
    assert 'value=""' in op.get("/operator/short-name").text
    assert op.get("/operator/short-name?name=%00").status_code == 422


def test_short_names_fit_and_stay():
    assert short_name("Café  Ünique!") == "cafe-unique"
    assert short_name("茶里 Tea House") == "tea-house"
    assert short_name("小茶馆") == short_name(" 小茶馆 ") != short_name("大茶馆")
    for odd in ("小茶馆", "", "-", "x" * 500, "a-" * 60, "\ud800"):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", short_name(odd)), odd


def test_a_new_key_and_a_new_link_replace_what_got_lost(consoles, op, opened, rows, trail):
    slug = opened()
    where = op.post(f"/operator/stores/{slug}/keys").headers["location"]
    key = KEY.search(op.get(where).text)[0]
    assert send(consoles.http, key, event()).status_code == 200
    owner = rows("SELECT s.id FROM core.staff s JOIN core.tenant t ON t.id = s.tenant_id WHERE t.slug = :slug",
                 slug=slug)[0].id  # fmt: skip
    path = f"/operator/stores/{slug}/owners/{owner}/link"
    first = LINK.search(op.get(op.post(path).headers["location"]).text)[1]
    second = LINK.search(op.get(op.post(path).headers["location"]).text)[1]
    assert consoles.guest().get(first).status_code == 404
    assert consoles.guest().get(second).status_code == 200
    assert (f"operator:{op.session.person.id}", "staff.link_made") in trail(slug)
    for nobody in (0, 10**30, -1, owner + 1000):
        assert op.post(f"/operator/stores/{slug}/owners/{nobody}/link").status_code == 404
    assert op.post(f"/operator/stores/tea/owners/{owner}/link").status_code == 404


def test_only_an_owner_gets_a_link_from_an_operator(consoles, op):
    other = consoles.staff(role="analyst")
    path = f"/operator/stores/tea/owners/{other.session.person.id}/link"
    assert op.post(path).status_code == 404
