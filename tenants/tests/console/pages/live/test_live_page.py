"""The live page: what stands in it, and the stream of hints."""

import re
import time

import pytest
from sqlalchemy import text

from threepeat.events.opened import Gate
from threepeat.tenancy import members, switches
from threepeat.tenancy.members import Suspension
from threepeat_tenants.accounts import sessions
from threepeat_tenants.console import streams

SCRIPT = "<script>alert(1)</script>"
REFUSE = text(
    "INSERT INTO core.refusal (tenant_id, type, verdict, detail) VALUES (:tenant, :type, 'invalid', :field)"
)


def fates(page):
    """What became of the newest event, by tactic."""
    first = page.split('<li class="line')[1]
    return dict(
        re.findall(
            r"<li(?: class=\"idle\")?><b>([^<]+)</b>.*?<span class=\"badge[^>]*>([^<]+)</span>", first, re.DOTALL
        )
    )


def test_an_event_is_followed_from_its_arrival_to_its_effects(shop):
    assert "Nothing has come in yet" in shop.get("/live")
    position = shop.order().position
    page = shop.get("/live")
    assert "Order paid" in page
    assert "ann" in page
    assert fates(page) == {"Points": "Waiting"}
    shop.drain()
    page = shop.get("/live")
    assert fates(page) == {"Points": "Done"}
    assert re.search(r"Points: earned <b>128</b>", page)
    # What the tactic answered stands at the event that it answers, and is no line of its own.
    assert page.count('<li class="line') == 1
    event = shop.get(f"/live/{position}")
    assert "&#34;total&#34;: 12800" in event
    assert "order.paid" in event
    caused = re.search(r"/live/(\d+)\">Points: earned", event)[1]
    assert f"/live/{position}" in shop.get(f"/live/{caused}")


def test_gifts_and_what_could_not_be_handled_are_told(shop):
    shop.send(shop.tenant, "visit.made", "ann")
    shop.drain()
    assert "+7 points" in shop.get("/live")
    shop.send(shop.tenant, "feedback.submitted", "ann", text="stuck")
    shop.drain()
    page = shop.get("/live")
    assert fates(page) == {"Parrot": "Could not be handled", "Points": "Done"}
    assert f"{shop.root}/letters?plugin=parrot" in page
    # The next event of the same member waits behind it; another member's does not.
    shop.send(shop.tenant, "visit.made", "ann")
    shop.drain()
    assert fates(shop.get("/live")) == {"Parrot": "Waits behind an earlier one", "Points": "Done"}
    shop.send(shop.tenant, "visit.made", "bob")
    shop.drain()
    assert fates(shop.get("/live")) == {"Parrot": "Done", "Points": "Done"}


def test_who_gets_nothing_is_told_why(make_shop):
    shop = make_shop("points", holdout=50)
    names = [f"m{number}" for number in range(40)]
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        found = members.resolve(scope, shop.platform.keyring, names)
        gate = Gate(scope, switches.activations(scope)["points"])
        held = next(name for name in names if not gate(found[name]))
        free = next(name for name in names if gate(found[name]))
        other = next(name for name in names if gate(found[name]) and name != free)
        until = Suspension(scope.now.replace(year=scope.now.year + 1), "checked")
        members.change(scope, found[other], suspension=until, by="test")
    for name, fate in (
        (held, "Comparison group: nothing given"),
        (free, "Done"),
        (other, "Member is suspended: nothing given"),
    ):
        shop.order(name)
        shop.drain()
        assert fates(shop.get("/live")) == {"Points": fate}


def test_what_came_before_a_tactic_was_on_is_not_its(make_shop):
    shop = make_shop("points")
    shop.send(shop.tenant, "visit.made", "ann")
    shop.drain()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        switches.enable(scope, shop.tenant, shop.platform.registry, "parrot", by="test", act=shop.platform.act)
    assert fates(shop.get("/live")) == {"Points": "Done"}


def test_refusals_stand_among_the_events(shop):
    shop.order()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(REFUSE, type="order.paid", field="data.total")
    page = shop.get("/live")
    assert "Not taken" in page
    assert "Look at the field data.total." in page
    assert f"{shop.root}/connection#event-order.paid" in page
    assert page.index("Not taken") < page.index("Accepted")


def test_pages_go_back_in_the_log_and_take_any_address(shop):
    shop.send.batch(shop.tenant, [shop.send.event("visit.made", f"m{n:02}") for n in range(70)])
    first = shop.get("/live")
    assert first.count('<li class="line') == 30
    before = re.search(r"live\?before=(\d+)", first)[1]
    second = shop.get(f"/live?before={before}")
    assert second.count('<li class="line') == 30
    assert set(re.findall(r'id="e(\d+)"', first)).isdisjoint(re.findall(r'id="e(\d+)"', second))
    assert "data-live" not in second
    for wrong in ("x", "-1", "9" * 40, "%00", "1.5", "%ED%A0%80"):
        assert shop.get(f"/live?before={wrong}").count('<li class="line') == 30
    for wrong in ("999999", "9" * 40, "0"):
        assert "There is no such event" in shop.get(f"/live/{wrong}", status=404)


def test_a_page_costs_the_same_however_much_is_on_it(shop, queries):
    shop.order()
    shop.drain()
    shop.get("/live")
    queries.clear()
    shop.get("/live")
    few = len(queries)
    for number in range(10):
        shop.order(f"m{number}")
        shop.send(shop.tenant, "visit.made", f"m{number}")
    shop.drain()
    queries.clear()
    assert shop.get("/live").count('<li class="line') >= 20
    assert len(queries) == few <= 14


def test_words_of_others_are_text(shop):
    event = shop.send.event("visit.made", SCRIPT) | {"source": SCRIPT, "id": SCRIPT}
    [item] = shop.send.batch(shop.tenant, [event])
    for page in (shop.get("/live"), shop.get("/live/rows"), shop.get(f"/live/{item.position}")):
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_staff_reads_and_strangers_do_not(shop, make_shop):
    position = shop.order().position
    other = make_shop("points")
    for path in ("/live", "/live/rows", "/live/stream", f"/live/{position}"):
        assert shop.consoles.guest().get(shop.root + path).status_code == 303
        assert other.owner.get(shop.root + path).status_code == 303
    assert "Order paid" in shop.get("/live", who=shop.staff("analyst"))
    assert "Order paid" not in other.get("/live")
    assert "There is no such event" in other.get(f"/live/{position + 1000}", status=404)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(streams, "SECONDS", 0.02)


def stream(shop, who=None):
    browser = who or shop.owner
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return browser.http.stream("GET", f"{shop.root}/live/stream", headers={"Cookie": cookie})


@pytest.mark.usefixtures("quick")
def test_a_stream_hints_at_what_is_new(shop):
    with stream(shop) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines) == "event: moved"
        assert next(lines) == "data: 0"
        next(lines)
        shop.order()
        assert [next(lines), next(lines)] == ["event: moved", "data: 1"]
        next(lines)
        # A session that ends takes its streams with it.
        with shop.platform.database.tenant(shop.tenant.id) as scope:
            sessions.end_staff(scope, shop.owner.session.id)
        assert "event: over" in [next(lines) for _ in range(2)]


@pytest.mark.usefixtures("quick")
def test_a_stream_ends_by_itself(shop, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST", 0.05)
    with stream(shop) as answer:
        assert list(answer.iter_lines())[-3:-1] == ["event: over", "data: time"]


@pytest.mark.usefixtures("quick")
def test_only_so_many_watch_at_once_and_who_leaves_makes_room(shop, monkeypatch):
    monkeypatch.setattr(streams, "MOST_OF_STORE", 1)
    monkeypatch.setattr(streams, "QUIET", 0.0)
    with stream(shop) as first:
        lines = first.iter_lines()  # closes the stream when it is let go
        next(lines)
        with stream(shop, shop.staff("analyst")) as second:
            assert second.status_code == 429
    for _ in range(100):
        with stream(shop) as again:
            if again.status_code == 200:
                break
        time.sleep(0.02)
    else:
        pytest.fail("the place was not given back")
