"""Dead letters: tried again in order, dropped, and never in the way of others."""

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.events import letters
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.worker.loop import Worker, WorkerConfig


class Picky(Plugin[PluginSettings]):
    """Handles everything but what it is told to refuse."""

    manifest = Manifest(id="picky", kind="tactic", title="Picky", summary="Refuses.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.refuses = set()
        self.seen = {}

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.take)
        yield when(OrderRefunded, self.take, always=True)

    def take(self, _ctx, events):
        for event in events:
            if event.order_id in self.refuses:
                raise ValueError(f"not {event.order_id}")
        for event in events:
            self.seen.setdefault(event.member, []).append(event.position)


@pytest.fixture
def picky():
    return Picky()


@pytest.fixture
def platform(open_platform, picky):
    return open_platform(registry=Registry.load([("picky", picky)]))


@pytest.fixture
def store(make_tenant):
    return make_tenant("tea", enable=("picky",))


def paid(send, member, order):
    return send.event("order.paid", member, order_id=order, total=100, currency="CNY")


def waiting(platform, store, **given):
    with platform.database.tenant(store.id) as scope:
        return [(one.reference, one.behind, one.state) for one in letters.list_letters(scope, **given)]


def ask(platform, store, **given):
    with platform.database.tenant(store.id) as scope:
        return letters.retry(scope, by="test", **given)


def test_a_members_chain_is_handed_over_again_in_order_and_then_what_came_later(
    platform, store, send, worker, picky
):
    picky.refuses = {"1"}
    send.batch(store, [paid(send, "ann", str(n)) for n in range(4)] + [paid(send, "bob", "b")])
    worker.drain()
    assert waiting(platform, store) == [("2", None, "waiting"), ("3", 2, "waiting"), ("4", 2, "waiting")]
    picky.refuses = set()
    send.batch(store, [paid(send, "ann", "5")])
    worker.drain()
    assert waiting(platform, store)[-1] == ("6", 2, "waiting")  # nobody asked to try again
    assert ask(platform, store, plugin="picky", kind="event", reference="3") == 4  # the chain goes together
    worker.drain()
    assert waiting(platform, store) == []
    assert sorted(picky.seen.values()) == [[1, 2, 3, 4, 6], [5]]


def test_what_fails_again_waits_again_and_says_how_often_it_was_tried(platform, store, send, worker, picky):
    picky.refuses = {"1", "3"}
    send.batch(store, [paid(send, "ann", str(n)) for n in range(5)])
    worker.drain()
    picky.refuses = {"3"}
    assert ask(platform, store) == 4
    worker.drain()
    assert waiting(platform, store) == [("4", None, "waiting"), ("5", 4, "waiting")]
    ask(platform, store)
    worker.drain()
    with platform.database.tenant(store.id) as scope:
        assert [one.attempts for one in letters.list_letters(scope)] == [3, 1]
    picky.refuses = set()
    ask(platform, store)
    worker.drain()
    assert list(picky.seen.values()) == [[1, 2, 3, 4, 5]]


def test_a_chain_that_is_longer_than_a_turn_keeps_its_order_and_new_events_wait_for_it(
    platform, store, send, picky
):
    picky.refuses = {"0"}
    send.batch(store, [paid(send, "ann", str(n)) for n in range(25)])
    Worker(platform).drain()
    picky.refuses = set()
    ask(platform, store)
    send.batch(store, [paid(send, "ann", "late")])
    Worker(platform, WorkerConfig(batch=4, slice_ms=1)).drain()
    assert waiting(platform, store) == []
    assert list(picky.seen.values()) == [list(range(1, 27))]


def test_dropping_one_lets_the_others_go_on_and_it_is_on_record(platform, store, send, worker, picky):
    picky.refuses = {"0"}
    send.batch(store, [paid(send, "ann", str(n)) for n in range(3)])
    worker.drain()
    with platform.database.tenant(store.id) as scope:
        with pytest.raises(NotFound, match="failed itself"):
            letters.drop(scope, "picky", "event", "2", by="test")  # it only waits
        letters.drop(scope, "picky", "event", "1", by="test")
        with pytest.raises(NotFound):
            letters.drop(scope, "picky", "event", "1", by="test")
    worker.drain()
    assert list(picky.seen.values()) == [[2, 3]]
    assert waiting(platform, store) == []
    assert waiting(platform, store, dropped=True) == [("1", None, "dropped")]
    send.batch(store, [paid(send, "ann", "9")])
    worker.drain()
    assert list(picky.seen.values()) == [[2, 3, 4]]


def test_letters_are_chosen_by_member_and_never_reach_another_tenant(
    platform, store, make_tenant, send, worker, picky
):
    other = make_tenant("other", enable=("picky",))
    picky.refuses = {"0"}
    for one in (store, other):
        send.batch(one, [paid(send, member, "0") for member in ("ann", "bob")])
    worker.drain()
    assert ask(platform, store, member="ann") == 1
    assert ask(platform, store, member="nobody") == 0
    assert [row[2] for row in waiting(platform, other)] == ["waiting", "waiting"]
    assert waiting(platform, store, member="bob") == [("2", None, "waiting")]
    with platform.database.tenant(other.id) as scope:
        assert (
            letters.show(scope, "picky", "event", "1").data == '{"total": 100, "currency": "CNY", "order_id": "0"}'
        )
        with pytest.raises(NotFound):
            letters.show(scope, "picky", "event", "3")


@pytest.mark.parametrize("reference", ["", "one", "-1", "9223372036854775808", "１"])
def test_a_reference_that_is_no_position_is_refused(platform, store, reference):
    with platform.database.tenant(store.id) as scope:
        with pytest.raises(Invalid, match="reference"):
            letters.retry(scope, plugin="picky", kind="event", reference=reference, by="test")
        with pytest.raises(Invalid, match="plugin and the kind"):
            letters.retry(scope, reference="1", by="test")


def test_events_of_a_member_who_is_being_erased_are_not_handed_over(platform, store, send, worker, picky):
    send.batch(store, [paid(send, "ann", "0"), paid(send, "bob", "1")])
    with platform.database.ops.begin() as ops:
        ops.execute(
            text(
                "UPDATE core.member SET erase_requested_at = now() WHERE id ="
                " (SELECT member_id FROM core.event WHERE position = 1)"
            )
        )
    worker.drain()
    assert list(picky.seen.values()) == [[2]]
    assert waiting(platform, store) == []


def test_from_the_command_line(platform, store, send, worker, picky, cluster, tmp_path, monkeypatch):
    picky.refuses = {"0"}
    send.batch(store, [paid(send, "ann", str(n)) for n in range(3)])
    worker.drain()
    for name, value in cluster.environment(platform.database.urls.app.database, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        outcome = CliRunner().invoke(app, ["--log-level", "error", *arguments])
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    listed = run("letters", "list", "tea")
    assert "ValueError: not 0" in listed
    assert "waits behind position 1" in listed
    shown = run("letters", "show", "tea", "picky", "1")
    assert "picky: order.paid 1, waiting, tried 1 times" in shown
    assert '"order_id": "0"' in shown
    assert "order.paid" in run("events", "tail", "tea", "-n", "2")
    assert "✗ picky" in run("events", "tail", "tea")
    assert '"letters":["picky"]' in run("events", "tail", "tea", "--json", "--data")
    assert "3 will be tried again" in run("letters", "retry", "tea", "--plugin", "picky")
    picky.refuses = set()
    worker.drain()
    assert list(picky.seen.values()) == [[1, 2, 3]]
    missing = CliRunner().invoke(app, ["letters", "resume", "tea", "picky"])
    assert missing.exit_code == 1
    assert CliRunner().invoke(app, ["letters", "drop", "tea", "picky", "7"]).exit_code == 1
