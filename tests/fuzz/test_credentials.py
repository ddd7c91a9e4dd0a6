"""Every operation of the API with a credential of every kind, every page of the consoles with a stranger's.

Nothing breaks, every error is a problem, who has no right changes nothing, and no store's words reach another.
`EXAMPLES` says how many good requests the long form makes up for each operation, `STEPS` how far it walks, and
`SEED` which.
"""

import itertools
import os
import re
import secrets

import httpx2
import pytest
from fastapi import Response
from tests.fuzz.stores import SCOPES, SHUT, serve
from tests.fuzz.walking import Walk, operations

from threepeat.http import keys as key_routes
from threepeat.http import problems
from threepeat.http.calls import Door
from threepeat.testing.fixtures import BY
from threepeat_tenants.accounts import sessions, staff
from threepeat_tenants.console import app as console
from threepeat_tenants.console import origin
from threepeat_tenants.console.desk import Desk

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
STEPS = int(os.environ.get("STEPS", "6000"))
SEED = int(os.environ.get("SEED", "20261122"))

KNOWN = (*SCOPES, "member", "operator")
WALKERS = {"manage": 6, "member": 5, "ingest": 1, "read": 1, "other manage": 2, "other member": 2}
STRANGERS = tuple(f"other {kind}" for kind in (*SCOPES, "member"))


@pytest.fixture(scope="module")
def stores(cluster, tmp_path_factory):
    with serve(cluster, tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture(scope="module")
def asked(stores):
    """Every operation, with one request of each."""
    return operations(stores, 1, SEED)


@pytest.fixture(scope="module")
def walk(stores, asked):
    """A short walk, after which ids of all kinds are known."""
    made = Walk(stores, asked, SEED)
    before = stores.rows(stores.silent)
    made.steps(180, who=WALKERS)
    made.unchanged(stores.silent, before, "nobody called as it")
    yield made
    made.close()


@pytest.fixture
def ready(stores, walk):
    """The walk, with nothing to complain about yet."""
    stores.renew()
    walk.alarms.clear()
    return walk


def test_what_everybody_has_the_right_to_breaks_nothing_and_stays_in_the_store(walk):
    assert walk.alarms == []
    assert len(walk.reached("manage")) > 12
    assert len(walk.reached("member")) > 8


def test_the_operators_calls_break_nothing(ready):
    ready.steps(60, who={"operator": 1})
    assert ready.alarms == []
    assert len(ready.reached("operator")) > 8


def test_who_has_no_right_is_refused_and_changes_nothing(stores, ready, asked):
    bad, known = itertools.cycle(SHUT), itertools.cycle(KNOWN)

    def kinds(operation):
        """Of those whom the edge sends away anyhow one at a time, in turn."""
        operators = operation.path.startswith("/v1/operator")
        return [next(bad), next(known)] if operators else [next(bad), *SCOPES, "member"]

    refused(stores, ready, asked, kinds)
    assert {who for found in ready.statuses.values() for who, _ in found} >= {*SHUT, *KNOWN}


def test_another_stores_credentials_reach_nothing_here(stores, ready, asked):
    reached(stores, ready, asked)


def test_no_page_of_the_consoles_opens_to_a_stranger(stores):
    """Who is not signed in here, wherever else they are, is sent to sign in, and changes and learns nothing."""
    visitors = strangers(stores)
    everybody = (stores.first, stores.other, stores.silent)
    before = [stores.rows(store) for store in everybody]
    assert opened(stores, visitors, list(pages())) == []
    assert len(list(pages())) > 100
    assert [stores.rows(store) for store in everybody] == before


def opened(stores, visitors, addresses):
    """The pages that let a stranger in, or tell one something."""
    found = []
    with httpx2.Client(base_url=stores.url, timeout=30) as client:
        for (method, path), (who, (cookie, csrf)) in itertools.product(addresses, visitors.items()):
            headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
            data = {"csrf": origin.mask(csrf)} if method == "POST" else None
            answer = client.request(method, path, headers=headers, data=data)
            away = answer.status_code == 303 and "/sign-in" in answer.headers["location"]
            if not (away or answer.status_code in {403, 404}) or "cnry" in answer.text:
                found.append(f"{method} {path} as {who}: {answer.status_code} {answer.text[:200]}")
    return found


def pages():
    """Every page and form of the consoles for somebody who is signed in."""
    for route in (route for router in console.PAGES for route in router.routes):
        path = re.sub(r"{[^}]+}", "1", route.path.replace("{slug}", "first-store"))
        if path.startswith(("/store/first-store", "/operator")) and not path.endswith("/sign-in"):
            yield from ((method, path) for method in sorted(route.methods & {"GET", "POST"}))


def strangers(stores):
    """Cookies and tokens of nobody, of an owner of another store, and what such an owner makes of theirs."""
    with stores.platform.database.tenant(stores.other.tenant.id) as scope:
        name = secrets.token_hex(4)
        ann = staff.add(scope, name=name, role="owner", email=f"{name}@example.com", phone=None, by=BY)
        value, session = sessions.open_staff(scope, stores.platform.keyring, ann.id, "test")
    bent = value.replace(f"{stores.other.tenant.id}.", f"{stores.first.tenant.id}.", 1)
    operator = value.replace(f"{stores.other.tenant.id}.", "o.", 1)
    return {
        "nobody": ("", "x"),
        "an owner of another store": (f"__Host-threepeat-staff={value}", session.csrf),
        "one who bends the store": (f"__Host-threepeat-staff={bent}", session.csrf),
        "one who plays the operator": (f"__Host-threepeat-operator={operator}", session.csrf),
    }


def refused(stores, walk, asked, kinds):
    """Each operation, as kinds of callers who have no right to it."""
    everybody = (stores.first, stores.other, stores.silent)
    before = [stores.rows(store) for store in everybody]
    for operation in asked:
        for who in kinds(operation):
            if not operation.open_to(who):
                walk.refuse(walk.request(operation, who))
    for store, rows in zip(everybody, before, strict=True):
        walk.unchanged(store, rows, "nobody had the right to change anything")
    assert walk.alarms == []
    # Each was asked with a request that could be read, and said no.
    for operation in asked:
        if "anyone" not in operation.rights:
            assert any(status in {401, 403} for _, status in walk.statuses[operation.label]), operation.label


def reached(stores, walk, asked):
    """Each operation, as another store that has the right in its own, about what is here."""
    here = (stores.first, stores.silent)
    before = [stores.rows(store) for store in here]
    for operation in asked:
        for who in STRANGERS:
            if operation.open_to(who) and "anyone" not in operation.rights:
                walk.send(walk.request(operation, who))
    for store, rows in zip(here, before, strict=True):
        walk.unchanged(store, rows, "it was another store's call")
    assert walk.alarms == []


@pytest.mark.long
def test_a_long_walk_with_every_credential(stores):
    asked = operations(stores, EXAMPLES, SEED + 1)
    walk = Walk(stores, asked, SEED + 1)
    for _ in range(3):
        stores.renew()
        before = stores.rows(stores.silent)
        walk.steps(STEPS // 3, who=WALKERS)
        walk.unchanged(stores.silent, before, "nobody called as it")
        walk.steps(STEPS // 12, who={"operator": 1})
        assert walk.alarms == []
        stores.renew()
        for _ in range(EXAMPLES // 4):
            refused(stores, walk, asked, lambda _: (*SHUT, *KNOWN))
            reached(stores, walk, asked)
    print({who: len(walk.reached(who)) for who in KNOWN})
    assert len(walk.reached("manage")) > 50
    assert len(walk.reached("member")) > 25
    assert len(walk.reached("operator")) > 20
    walk.close()


# --- Mistakes on purpose ------------------------------------------------------------------------------------


def of(asked, label):
    return next(one for one in asked if one.label == label)


def test_a_route_that_breaks_is_found(ready, asked, monkeypatch):
    monkeypatch.setattr(key_routes, "_view", lambda _: 1 / 0)
    ready.send(ready.request(of(asked, "GET /v1/keys"), "manage"))
    assert [alarm.partition(":")[0] for alarm in ready.alarms] == ["broken"]


def test_an_error_that_is_no_problem_is_found(ready, asked, monkeypatch):
    monkeypatch.setattr(problems, "CONTENT_TYPE", "application/json")
    ready.refuse(ready.request(of(asked, "GET /v1/keys"), "nobody"))
    assert [alarm.partition(":")[0] for alarm in ready.alarms] == ["no problem of RFC 9457"]


def test_a_route_that_forgets_its_check_is_found(stores, ready, asked, monkeypatch):
    monkeypatch.setattr(Door, "manage", Door._run)
    before = stores.rows(stores.first)
    operation = of(asked, "POST /v1/keys")
    wanted = ready.request(operation, "ingest")
    wanted.given["json"] = {"name": "more", "scopes": ["ingest"]}
    ready.refuse(wanted)
    ready.unchanged(stores.first, before, str(wanted))
    assert [alarm.partition(":")[0] for alarm in ready.alarms] == ["no right", "changed first-store"]
    assert "core.api_key" in ready.alarms[1].replace('"', "")


def test_a_route_that_looks_for_no_credential_is_found(ready, asked, monkeypatch):
    monkeypatch.setattr(Door, "manage", lambda *_: {"keys": []})
    ready.refuse(ready.request(of(asked, "GET /v1/keys"), "member"))
    assert [alarm.partition(":")[0] for alarm in ready.alarms] == ["no right"]


def test_a_word_of_another_store_is_found(stores, ready, asked, monkeypatch):
    view = key_routes._view
    word = f"{stores.silent.prefix}-0-z"
    monkeypatch.setattr(key_routes, "_view", lambda one: view(one).model_copy(update={"name": word}))
    ready.send(ready.request(of(asked, "GET /v1/keys"), "manage"))
    assert [alarm.partition(":")[0] for alarm in ready.alarms] == [f"a word of silent-store ({word})"]
    ready.alarms.clear()
    monkeypatch.setattr(key_routes, "_view", view)
    ready.send(ready.request(of(asked, "GET /v1/keys"), "manage"))
    assert ready.alarms == []


def test_a_page_that_forgets_who_asks_is_found(stores, monkeypatch):
    monkeypatch.setattr(Desk, "read", lambda *_, **__: Response("all of it"))
    found = opened(
        stores, {"nobody": ("", "x")}, [("GET", "/store/first-store/account"), ("GET", "/operator/account")]
    )
    assert found == ["GET /store/first-store/account as nobody: 200 all of it"]
