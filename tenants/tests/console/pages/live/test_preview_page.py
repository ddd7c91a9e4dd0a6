"""Trying it as a member: the test member, what it is shown, what it does, and its end."""

import re

import pytest
from sqlalchemy import text

from threepeat_tenants import preview

from .toys import PARROT, SCRIPT

EVENTS = text(
    "SELECT type, source FROM core.event WHERE tenant_id = :tenant AND source = 'preview' ORDER BY position"
)
PAID = text("""
    SELECT (data ->> 'total')::int AS total, data ->> 'reservation_id' AS reservation,
           data -> 'lines' -> 0 ->> 'sku' AS sku, (data -> 'lines' -> 0 ->> 'quantity')::int AS quantity
    FROM core.event WHERE tenant_id = :tenant AND type = 'order.paid' ORDER BY position
""")
QUOTES = text("SELECT id, state FROM checkout.quote WHERE tenant_id = :tenant")
EXEMPT = text("SELECT m.exempt FROM core.member m WHERE m.tenant_id = :tenant")


def sent(shop):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        return [row.type for row in scope.run(EVENTS)]


@pytest.fixture
def begun(make_shop):
    """A store whose owner has a test member."""
    shop = make_shop("points", "parrot", holdout=50)
    assert "Begin with a test member" in shop.get("/preview")
    assert "Your test member is there." in shop.follow("/preview/member")
    return shop


def number(path):
    return next(n for n, one in enumerate(PARROT.routes()) if (one.method, one.path) == ("POST", path))


def test_a_test_member_is_in_no_comparison_group_and_made_once(begun):
    begun.follow("/preview/member")
    with begun.platform.database.tenant(begun.tenant.id) as scope:
        assert [row.exempt for row in scope.run(EXEMPT)] == [True]
    assert begun.trail().count((begun.by, "preview.made")) == 1
    assert begun.trail().count((begun.by, "member.exempted")) == 1


def test_answers_are_shown_in_words(begun):
    page = begun.get("/preview")
    for words in (
        "My points",
        "Points to spend",
        "CN¥1,234.56",
        "1,234 points",
        "Jan 2, 2026 11:04",
        "part 9",
        "and 2 more",
    ):
        assert words in page, words
    # A route that fails leaves the others standing; one that needs more is not asked.
    assert "/v1/me/parrot/broken</code> · 500" in page
    assert "GET /v1/me/parrot/said" in page
    assert "GET /v1/me/parrot/of" not in page
    assert "<script>alert" not in page
    # What is for programs stands in the JSON for developers alone.
    assert (page.count("d1gest"), page.count("Digest")) == (1, 0)


def test_an_order_makes_points_grow_and_a_refund_takes_them(begun):
    before = begun.get("/preview")
    mark = re.search(r'name="mark" value="(\w+)"', before)[1]
    for _ in range(2):  # a form that is sent twice is one order
        assert "Sent." in begun.follow("/preview/order", {"mark": mark, "order.total": "64.00"})
    begun.drain()
    assert sent(begun) == ["order.paid"]
    page = begun.get("/preview")
    assert re.search(r"<dt>Points to spend</dt>\s*<dd>64</dd>", page)
    assert "Points: earned <b>64</b>" in page
    for _ in range(2):
        begun.owner.post(f"{begun.root}/preview/refund")
    begun.drain()
    assert sent(begun) == ["order.paid", "order.refunded"]
    page = begun.get("/preview")
    assert re.search(r"<dt>Points to spend</dt>\s*<dd>0</dd>", page)
    assert "Refund it" not in page
    assert "no test order that could be refunded" in begun.post("/preview/refund", status=409)
    assert begun.trail().count((begun.by, "preview.sent")) == 3


@pytest.mark.parametrize("total", ["", "0", "-1", "1" + "0" * 30, "abc", SCRIPT, "NaN", "1,5x", "9" * 5000])
def test_an_amount_that_is_none_is_refused_at_its_field(begun, total):
    page = begun.post("/preview/order", {"mark": "a", "order.total": total}, status=422)
    assert 'id="order.total-error"' in page or "form-summary" in page
    assert "<script>alert" not in page
    begun.drain()
    assert sent(begun) == []


def basket(mark, word="", **more):
    typed = {"basket.sku": "puer", "basket.quantity": "2", "basket.price": "64.00", "choice-parrot.word": word}
    return {"mark": mark, **typed, **more}


def test_a_basket_is_priced_held_and_paid_as_a_mini_program_does(begun):
    page = begun.get("/preview")
    assert "Buy something" in page
    assert "How often" in page
    page = begun.follow("/preview/buy", basket("a", "please", **{"choice-parrot.often": "2"}))
    assert "Paid: CN¥112.00" in page
    assert re.search(r"<dt>Without reductions</dt><dd>CN¥128.00</dd>", page)
    assert re.search(r"alert\(1\)&lt;/script&gt;</dt><dd>-CN¥16.00</dd>", page)
    # A form that is sent twice is one payment, and holds nothing a second time.
    assert "Sent." in begun.follow("/preview/buy", basket("a", "please", **{"choice-parrot.often": "2"}))
    assert "Say please" in begun.follow("/preview/buy", basket("b", "polly"))
    assert "Say please" not in begun.follow("/preview/buy", basket("c"))
    begun.drain()
    with begun.platform.database.tenant(begun.tenant.id) as scope:
        paid = scope.run(PAID)
        held = {row.id: row.state for row in scope.run(QUOTES)}
    assert [(row.total, row.sku, row.quantity) for row in paid] == [
        (11_200, "puer", 2),
        (12_800, "puer", 2),
        (12_800, "puer", 2),
    ]
    assert held == {row.reservation: "confirmed" for row in paid}
    assert re.search(r"<dt>Points to spend</dt>\s*<dd>368</dd>", begun.get("/preview"))
    assert begun.trail().count((begun.by, "preview.sent")) == 3


@pytest.mark.parametrize(
    "typed",
    [
        {"basket.quantity": "0"},
        {"basket.quantity": "9" * 400},
        {"basket.price": "NaN"},
        {"basket.price": "-1"},
        {"basket.sku": ""},
        {"basket.sku": "x" * 5000},
        {"choice-parrot.often": "6"},
        {"choice-parrot.often": SCRIPT},
    ],
)
def test_a_basket_that_is_none_is_refused_at_its_field(begun, typed):
    page = begun.post("/preview/buy", basket("a", **typed), status=422)
    assert f'id="field-{next(iter(typed))}-error"' in page
    assert "<script>alert" not in page
    begun.drain()
    assert sent(begun) == []


def test_what_the_api_refuses_is_said_and_nothing_is_paid(begun):
    page = begun.follow("/preview/buy", basket("a", "quick"))
    assert re.search(
        r'class="notice bad" role="alert">\s*<p>&lt;script&gt;alert\(1\)&lt;/script&gt; was faster</p>', page
    )
    begun.drain()
    assert sent(begun) == []


def test_other_events_can_be_sent_and_no_others(begun):
    page = begun.get("/preview")
    assert '<option value="visit.made">' in page
    begun.follow("/preview/event", {"mark": "a", "type": "visit.made"})
    begun.drain()
    assert sent(begun) == ["visit.made"]
    assert "+7 points" in begun.get("/preview")
    for wrong in ("", "order.paid", "x" * 5000, SCRIPT, "points.earned"):
        assert "choose one of the events" in begun.post("/preview/event", {"type": wrong}, status=422)
    assert begun.owner.post(f"{begun.root}/preview/event", {"type": "a\0"}).status_code == 422


def test_a_command_is_done_once_however_often_it_is_sent(begun):
    PARROT.said.clear()
    path = f"/preview/parrot/{number('/say')}"
    page = begun.follow(path, {"mark": "b1", "body.text": SCRIPT})
    assert "Done" in page
    begun.follow(path, {"mark": "b1", "body.text": SCRIPT})
    assert sum(PARROT.said.values()) == 1
    assert begun.follow(path, {"mark": "b2", "body.text": "again"})
    assert sum(PARROT.said.values()) == 2
    page = begun.get("/preview")
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    PARROT.said.clear()


def test_what_is_wrong_stands_at_the_field_and_stays_typed(begun):
    page = begun.post(f"/preview/parrot/{number('/say')}", {"mark": "c", "body.text": "x"}, status=422)
    assert 'aria-invalid="true"' in page
    assert 'value="x"' in page
    for wrong in ("", "y" * 5000):
        begun.post(f"/preview/parrot/{number('/say')}", {"body.text": wrong}, status=422)


def test_a_parameter_of_the_address_is_filled_in(begun):
    path = f"/preview/parrot/{number('/of/{day}')}"
    page = begun.follow(path, {"mark": "d", "ask.day": "2026-02-03", "ask.loud": "true", "ask.loud~flag": "1"})
    assert "2026-02-03 True" in page
    for wrong in ("", "2026-13-01", "../../x", "1" * 5000):
        begun.post(path, {"mark": "e", "ask.day": wrong}, status=422)


def test_a_refusal_is_shown_as_the_member_is_told(begun):
    page = begun.follow(f"/preview/parrot/{number('/refuse')}", {"mark": "f"})
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "409" in page
    # It is shown once.
    assert 'role="alert"' not in begun.get("/preview")


def test_what_is_no_command_is_not_done(begun):
    for path in ("parrot/0", "parrot/99", "parrot/" + "9" * 30, "nobody/0", "orders/0"):
        begun.post(f"/preview/{path}", status=404)


def test_the_test_member_is_erased_with_one_button_and_comes_back(begun):
    begun.follow("/preview/order", {"mark": "g", "order.total": "10.00"})
    begun.drain()
    assert "being erased" in begun.follow("/preview/erase")
    begun.drain()
    page = begun.get("/preview")
    assert "Begin with a test member" in page
    assert begun.trail().count((begun.by, "member.erased")) == 1
    assert "There is no test member yet" in begun.post("/preview/order", {"order.total": "1"}, status=409)
    begun.post("/preview/erase")  # nothing is left to erase
    begun.follow("/preview/member")
    assert re.search(r"<dt>Points to spend</dt>\s*<dd>0</dd>", begun.get("/preview"))


def test_everybody_has_their_own_and_others_have_none(begun, make_shop):
    colleague = begun.staff("operator")
    assert "Begin with a test member" in begun.get("/preview", who=colleague)
    analyst, other = begun.staff("analyst"), make_shop("points").owner
    paths = ("member", "order", "refund", "event", "erase", f"parrot/{number('/say')}")
    begun.get("/preview", status=403, who=analyst)
    assert "/preview" not in begun.get("/live", who=analyst)
    for path in paths:
        begun.post(f"/preview/{path}", status=403, who=analyst)
        begun.post(f"/preview/{path}", status=303, who=other)
        assert begun.owner.post(f"{begun.root}/preview/{path}", csrf=False).status_code == 403
    assert other.get(f"{begun.root}/preview").headers["location"].startswith(f"{begun.root}/sign-in")
    assert sent(begun) == []
    with begun.platform.database.tenant(begun.tenant.id) as scope:
        found = preview.find(scope, begun.owner.session.person)
        assert found is not None
        assert found.external_id == f"preview:{begun.owner.session.person.id}"


def test_a_page_costs_the_same_however_much_has_happened(begun, queries):
    begun.follow("/preview/event", {"mark": "h", "type": "visit.made"})
    begun.drain()
    begun.get("/preview")
    queries.clear()
    begun.get("/preview")
    few = len(queries)
    for n in range(8):
        begun.follow("/preview/event", {"mark": f"i{n}", "type": "visit.made"})
    begun.drain()
    queries.clear()
    begun.get("/preview")
    assert len(queries) == few <= 75
