"""`/v1/quotes` over whatever keeps quotes: who may ask, who may see, and that everything is answered well."""

import json
import secrets
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.plugins import Registry
from threepeat.sdk import (
    Checkout,
    Gift,
    Manifest,
    Plugin,
    PluginError,
    PluginSettings,
    Reduction,
    RefundQuote,
    Refused,
    Stage,
    StoredQuote,
    _,
    hookimpl,
    price_rule,
    provide_checkout,
)
from threepeat.tenancy import switches
from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD

LINES = [
    {"id": "tea", "sku": "t", "quantity": 2, "unit_price": 3_000},
    {"id": "cup", "sku": "c", "quantity": 1, "unit_price": 4_500, "name": "Cup"},
]


class Desk(Checkout):
    """Keeps quotes in memory."""

    def __init__(self, ctx, keeper):
        self.ctx, self.keeper = ctx, keeper

    def quote(self, member, basket):
        made = self.ctx.pricing.quote(member, basket)
        until = self.ctx.now + timedelta(minutes=5)
        one = StoredQuote(id=secrets.token_hex(16), member=member, state="quoted", quote=made, expires_at=until)
        return self.keep(one)

    def read(self, quote_id):
        return self.keeper.kept.get((self.ctx.tenant.id, quote_id))

    def reserve(self, quote_id):
        self.keeper.meanwhile(self.read(quote_id))
        if self.keeper.broken:
            raise PluginError("'vouchers' holds 'voucher' for an order and is not there")
        if self.keeper.sold_out:
            raise Refused(_("it is gone"), code="gone")
        return self.keep(replace(self.read(quote_id), state="reserved"))

    def confirm(self, quote_id, order_id):
        return self.keep(replace(self.read(quote_id), state="confirmed", order_id=order_id))

    def release(self, quote_id):
        return self.keep(replace(self.read(quote_id), state="released"))

    def refund(self, quote_id, units):
        if set(units) - set(self.read(quote_id).quote.lines):
            raise Refused(_("there is no such line"), code="no-such-line")
        return RefundQuote(amount=5, lines=dict.fromkeys(units, 5), given_back={"till.tenth": 1})

    def keep(self, one):
        self.keeper.kept[self.ctx.tenant.id, one.id] = one
        self.keeper.calls += 1
        return one


class Till(Plugin[PluginSettings]):
    """Takes a tenth off for members, and gives a mug to whoever chooses one."""

    manifest = Manifest(id="till", kind="service", title="Till", summary="Keeps quotes.")
    settings_model = PluginSettings

    def __init__(self):
        self.kept, self.calls, self.meanwhile = {}, 0, lambda _: None
        self.sold_out = self.broken = False

    @hookimpl
    def provides(self):
        yield provide_checkout(lambda ctx: Desk(ctx, self))

    @hookimpl
    def price_rules(self):
        yield price_rule("tenth", stage=Stage.MEMBER, quote=self.tenth)

    def tenth(self, _ctx, asked):
        if asked.choice == "mug":
            yield Reduction("Mug", key="mug", gifts=[Gift(sku="m", name="Mug")])
        if asked.member is not None:
            yield Reduction("Tenth", sum(asked.standing.values()) // 10, key=str(asked.member), group="member")
            yield Reduction("Less", 1, key="less", group="member")


@pytest.fixture(scope="module")
def registry():
    return Registry.load([("till", Till())])


@pytest.fixture
def till(registry):
    plugin = registry["till"].plugin
    plugin.__init__()
    return plugin


@pytest.fixture
def store(platform, tenant, till, make_token):  # noqa: ARG001 - the till begins anew
    make_token(tenant, "ann")
    return tenant


@pytest.fixture
def server(store, signed_in, make_key):
    return signed_in(make_key(store, "ingest"))


@pytest.fixture
def phone(store, signed_in, make_token):
    return lambda name="ann": signed_in(make_token(store, name))


def ask(client, **more):
    answer = client.post("/v1/quotes", json={"lines": LINES, "shipping": 800} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def command(client, quote, what, **body):
    return client.post(f"/v1/quotes/{quote['id']}/{what}", json=body or None)


def code(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_price_is_explained_line_by_line(phone, store):
    found = ask(phone(), choices={"till": "mug"})
    assert (found["state"], found["currency"], found["total"]) == ("quoted", store.store.currency, 9_450 + 800)
    assert (found["shipping_before"], found["shipping"], found["order_id"]) == (800, 800, None)
    lines = [(one["id"], one["before"], one["after"], one["reductions"][0]["amount"]) for one in found["lines"]]
    assert lines == [("tea", 6_000, 5_400, 600), ("cup", 4_500, 4_050, 450)]
    assert [(one["title"]["en"], one["amount"], len(one["gifts"])) for one in found["applied"]] == [
        ("Tenth", 1_050, 0),
        ("Mug", 0, 1),
    ]
    assert [(one["key"], one["why"], one["reason"]) for one in found["left_out"]] == [("less", "group", {})]


def test_the_shops_server_asks_for_a_member_or_for_nobody(server, till):
    assert ask(server, member="ann")["total"] == 10_250
    assert ask(server)["total"] == 11_300
    assert {one.member is None for one in till.kept.values()} == {True, False}
    assert code(server.post("/v1/quotes", json={"lines": LINES, "member": "nobody"})) == (404, "not-found")


def test_a_member_asks_for_itself_only(phone):
    answer = phone().post("/v1/quotes", json={"lines": LINES, "member": "ann"})
    assert code(answer) == (403, "not-allowed")


def test_a_member_sees_and_commands_its_own_quotes_only(phone, server):
    mine, nobodys = ask(phone()), ask(server)
    bob = phone("bob")
    unknown = bob.get("/v1/quotes/nothing")
    assert code(unknown) == (404, "not-found")
    for quote in (mine, nobodys):
        assert bob.get(f"/v1/quotes/{quote['id']}").json() == unknown.json()
        for what in ("reserve", "release"):
            assert command(bob, quote, what).json() == unknown.json()
    assert phone().get(f"/v1/quotes/{mine['id']}").json() == mine
    assert server.get(f"/v1/quotes/{mine['id']}").json() == mine


def test_from_the_quote_to_the_refund(phone, server):
    ann, quote = phone(), ask(phone())
    assert command(ann, quote, "reserve").json()["state"] == "reserved"
    assert command(server, quote, "release").json()["state"] == "released"
    paid = command(server, quote, "confirm", order_id="o1").json()
    assert (paid["state"], paid["order_id"]) == ("confirmed", "o1")
    back = command(server, quote, "refund", units={"tea": 1})
    assert back.json() == {"amount": 5, "lines": {"tea": 5}, "given_back": {"till.tenth": 1}}
    assert code(command(server, quote, "refund", units={"x": 1})) == (409, "no-such-line")


def test_only_the_server_says_that_something_was_paid_or_comes_back(phone, store, signed_in, make_key):
    ann = phone()
    quote = ask(ann)
    reader = signed_in(make_key(store, "read"))
    for client in (ann, reader):
        assert code(command(client, quote, "confirm", order_id="o1")) == (403, "not-allowed")
        assert code(command(client, quote, "refund", units={"tea": 1})) == (403, "not-allowed")
    assert code(reader.post("/v1/quotes", json={"lines": LINES})) == (403, "not-allowed")
    assert code(reader.get(f"/v1/quotes/{quote['id']}")) == (403, "not-allowed")
    assert command(signed_in(make_key(store, "manage")), quote, "confirm", order_id="o1").status_code == 200


def test_what_is_refused_says_why_and_leaves_no_key_behind(phone, till):
    ann, quote = phone(), ask(phone())
    till.sold_out = True
    path, key = f"/v1/quotes/{quote['id']}/reserve", {"Idempotency-Key": "k"}
    assert code(ann.post(path, headers=key)) == (409, "gone")
    till.sold_out = False
    assert ann.post(path, headers=key).json()["state"] == "reserved"


def test_a_plugin_that_is_away_is_no_fault_of_the_caller(phone, till):
    ann, quote = phone(), ask(phone())
    till.broken = True
    assert code(command(ann, quote, "reserve")) == (409, "plugin-unavailable")
    till.broken = False
    assert command(ann, quote, "reserve").status_code == 200


def test_a_repeated_key_gets_the_same_answer_and_does_nothing(server, till):
    quote, other = ask(server, member="ann"), ask(server)
    key = {"Idempotency-Key": "k"}
    for what, body in (("reserve", None), ("confirm", {"order_id": "o1"}), ("release", None)):
        key = {"Idempotency-Key": what}
        first = server.post(f"/v1/quotes/{quote['id']}/{what}", json=body, headers=key)
        calls = till.calls
        again = server.post(f"/v1/quotes/{quote['id']}/{what}", json=body, headers=key)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        assert till.calls == calls
        changed = server.post(f"/v1/quotes/{other['id']}/{what}", json=body, headers=key)
        assert code(changed) == (422, "idempotency-key-reused")


SWITCHING = text("SELECT pg_try_advisory_xact_lock(hashtextextended('threepeat.switch', :tenant)) AS alone")
MEMBER = text("SELECT 1 FROM core.member WHERE tenant_id = :tenant AND id = :id FOR UPDATE NOWAIT")


def test_a_command_of_the_server_keeps_its_member_and_the_switches_still(server, till, platform, store):
    """As a member's own does: so that locks are taken in one order, and what is promised is counted."""
    quote = ask(server, member="ann")
    seen = []

    def look(stored):
        try:
            with platform.database.tenant(store.id) as scope:
                seen.append(scope.one(SWITCHING).alone)
                scope.run(MEMBER, id=stored.member)
        except OperationalError as error:
            seen.append(type(error.orig).__name__)

    till.meanwhile = look
    assert command(server, quote, "reserve").status_code == 200
    assert seen == [False, "LockNotAvailable"]


def test_two_stores_never_meet(server, other_tenant, signed_in, make_key):
    quote = ask(server)
    other = signed_in(make_key(other_tenant, "manage"))
    assert code(other.get(f"/v1/quotes/{quote['id']}")) == (404, "not-found")
    for what, body in (("reserve", None), ("confirm", {"order_id": "o"}), ("refund", {"units": {"tea": 1}})):
        assert other.post(f"/v1/quotes/{quote['id']}/{what}", json=body).status_code == 404
    assert server.get(f"/v1/quotes/{quote['id']}").json() == quote


def test_without_a_checkout_there_are_no_quotes(server, platform, store):
    quote = ask(server)
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "till", by="t", act=platform.act)
    assert code(server.post("/v1/quotes", json={"lines": LINES})) == (404, "not-found")
    assert code(server.get(f"/v1/quotes/{quote['id']}")) == (404, "not-found")


BAD = {
    "no lines": ({"lines": []}, "lines"),
    "too many lines": ({"lines": [LINES[0] | {"id": str(number)} for number in range(201)]}, "lines"),
    "one id twice": ({"lines": [LINES[0], LINES[0]]}, "lines"),
    "too dear": ({"lines": [LINES[0] | {"quantity": 10**9, "unit_price": 10**15}]}, "lines"),
    "no units": ({"lines": [LINES[0] | {"quantity": 0}]}, "lines.0.quantity"),
    "half a unit": ({"lines": [LINES[0] | {"quantity": 0.5}]}, "lines.0.quantity"),
    "a negative price": ({"lines": [LINES[0] | {"unit_price": -1}]}, "lines.0.unit_price"),
    "an empty name": ({"lines": [LINES[0] | {"sku": ""}]}, "lines.0.sku"),
    "a long name": ({"lines": [LINES[0] | {"name": "x" * 501}]}, "lines.0.name"),
    "a field too many": ({"lines": LINES, "price": 1}, "price"),
    "negative delivery": ({"lines": LINES, "shipping": -1}, "shipping"),
    "too many choices": ({"lines": LINES, "choices": dict.fromkeys(map(str, range(21)), 1)}, "choices"),
}


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD.keys())
def test_a_basket_that_is_none_names_the_field(server, body, field):
    answer = server.post("/v1/quotes", json=body)
    assert code(answer) == (422, "invalid"), answer.text
    assert field in {one["field"] for one in answer.json()["errors"]}


def hostile_bodies(value):
    line = b'{"id":"x","sku":"x","quantity":1,"unit_price":1'
    yield b'{"lines":[' + line + b'}],"choices":{"till":' + value + b"}}"
    yield b'{"lines":[' + line + b'}],"choices":' + value + b"}"
    yield b'{"lines":[' + line + b',"name":' + value + b"}]}"
    yield b'{"lines":[{"id":' + value + b',"sku":"x","quantity":1,"unit_price":1}]}'
    yield b'{"lines":[{"id":"x","sku":"x","quantity":1,"unit_price":' + value + b"}]}"
    yield b'{"lines":' + value + b"}"


@pytest.mark.parametrize("value", [*IMPOSSIBLE.values(), *ODD.values()], ids=[*IMPOSSIBLE, *ODD])
def test_whatever_is_sent_is_priced_or_refused(server, value):
    for body in hostile_bodies(value):
        answer = server.post("/v1/quotes", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {201, 400, 413, 422}, (body[:200], answer.text[:300])
        assert value in ODD.values() or answer.status_code != 201


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_hostile_id_leads_to_nothing(server, name):
    for method, what in (("GET", ""), ("POST", "/reserve"), ("POST", "/release")):
        answer = server.request(method, f"/v1/quotes/{ADDRESSES[name]}{what}")
        assert answer.status_code in {400, 404, 414, 422}, answer.text[:300]
    body = json.dumps({"units": {"tea": 2**62}}).encode()
    answer = server.post(f"/v1/quotes/{ask(server)['id']}/refund", content=body)
    assert answer.status_code in {415, 422}
