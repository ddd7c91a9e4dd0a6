"""A process may end at every named place: what was drawn stays, and nothing is drawn a second time.

The killed processes are forks of one that has imported everything and has no connection open yet.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text

from threepeat.database import faults
from threepeat.database.config import DatabaseConfig
from threepeat.events import collections
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.tenancy import keys, members, tenants
from threepeat.testing.fixtures import Sender, serving
from threepeat.worker import claims
from threepeat.worker.loop import Worker
from threepeat_blindbox.plugin import plugin as blindbox
from threepeat_blindbox.verifier import verify as verifier
from threepeat_checkout.plugin import plugin as checkout

PLACES = (
    *("turn.claimed", "outbox.moved", "turn.after-plugin", "turn.before-commit", "turn.after-commit"),
    *("turn.released", "command.done", "command.committed"),
)
ITEMS = [{"sku": "cup", "name": "Cup", "weight": 9, "stock": 90}, {"sku": "owl", "name": "Owl", "weight": 1}]
WORKER = "boxes"
DRAWN = "SELECT draw_no, body, signature FROM blindbox.draw ORDER BY draw_no"
SERIES = {"name": "Kitchen", "sku": "box", "price": 5_900, "items": ITEMS, "daily_boxes": None}


@pytest.mark.long
def test_a_kill_and_a_retry_never_draw_again(cluster, tmp_path):
    with cluster.database() as name:
        environment = cluster.environment(name, tmp_path)
        command = [sys.executable, __file__]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] == list(PLACES), done.stderr
    assert told["changed"] == 0
    assert told["draws"] == 2 * len(PLACES)
    assert told["waiting"] == 0
    assert told["violations"] == []


class Shop:
    """A store and its test member, on a platform of this process."""

    def __init__(self, platform, url):
        self.platform, self.client = platform, httpx2.Client(base_url=url, timeout=60)
        with platform.database.directory() as connection:
            self.tenant = tenants.by_slug(connection, "boxes")

    def inside(self, work):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return work(scope)

    def rows(self, query):
        return self.inside(lambda scope: [list(row) for row in scope.run(text(query))])

    def ask(self, method, path, **body):
        def token(scope):
            member = members.resolve(scope, self.platform.keyring, ["ann"])["ann"]
            return keys.sign_token(self.platform.keyring, self.tenant.id, member, "ann", timedelta(hours=1))[0]

        headers = {"Authorization": f"Bearer {self.inside(token)}", "Idempotency-Key": secrets.token_hex(8)}
        return self.client.request(method, f"/v1/me/blindbox/{path}", headers=headers, json=body or None)

    def paid(self, order):
        line = {"sku": "box", "quantity": 2, "amount": 11_800}
        Sender(self.platform)(
            self.tenant, "order.paid", "ann", id=order, order_id=order, total=11_800, currency="CNY", lines=[line]
        )

    def open_all(self):
        version = self.ask("GET", "series").json()["series"][0]["version"]
        for box in self.ask("GET", "boxes").json()["boxes"]:
            if box["state"] == "waiting":
                assert self.ask("POST", "boxes/open", box=box["id"], version=version).status_code == 200


@contextmanager
def platform():
    known = ((one.manifest.id, one) for one in (checkout, blindbox))
    with Platform.open(DatabaseConfig(), registry=Registry.load(known), keys=KeyConfig()) as opened:
        yield opened


@contextmanager
def shop():
    with platform() as opened, serving(opened) as url:
        yield Shop(opened, url)


def drain(opened):
    """Do whatever waits, and what a worker that was killed had begun."""
    with opened.database.ops.begin() as ops:
        claims.recover(ops, WORKER)
    Worker(opened, name=WORKER).drain()


def begin():
    """Open the store, put a series on sale, and let the member confirm the age."""
    with platform() as opened:
        tenant = open_store(opened, "boxes", holdout=0, enable=["blindbox"], by="test")
        with opened.database.tenant(tenant.id) as scope:
            here = opened.inside(scope, tenant)
            made = collections.create(here, "blindbox", "series", SERIES, by="test")
            collections.act(here, "blindbox", "series", made.id, "publish", revision=made.revision, by="test")
    with shop() as one:
        version = one.ask("GET", "series").json()["age"]["text_version"]
        assert one.ask("POST", "age", kind="adult", text_version=version).status_code == 200
    return []


def work(number, place):
    """Sell two boxes and open all that wait, until the process ends at the place."""
    with shop() as one:
        one.paid(f"order-{number}")
        if place.startswith("command"):
            drain(one.platform)
        else:
            # What the members' commands leave in the outbox is there to be moved.
            one.open_all()
        faults._place = place
        drain(one.platform)
        one.open_all()


def draws():
    """What has been drawn so far, word for word."""
    with platform() as opened:
        return Shop(opened, "").rows(DRAWN)


def finish():
    """Do whatever is left, close the series, and tell what became of it all."""
    with shop() as one:
        drain(one.platform)
        one.open_all()
        ((series, revision),) = one.rows("SELECT id, revision FROM blindbox.series")
        with one.platform.database.tenant(one.tenant.id) as scope:
            here = one.platform.inside(scope, one.tenant)
            collections.act(here, "blindbox", "series", str(series), "close", revision=revision, by="test")
        boxes = one.ask("GET", "boxes").json()["boxes"]
        return {
            "evidence": one.ask("GET", f"evidence/{series}").json(),
            "own": [box["receipt"] for box in boxes],
            "waiting": sum(box["state"] != "opened" for box in boxes),
            "violations": [found.name for found in verify(one.platform, one.tenant) if found.rows],
            "rows": one.rows(DRAWN),
        }


def apart(step):
    """What a process of its own answers, so that no connection outlives it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        answer = json.dumps(step())
        with os.fdopen(write, "w") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


def main():
    """Kill a fork at each place, then let one finish."""
    killed, seen, changed = [], apart(begin), 0
    for number, place in enumerate(PLACES):
        pid = os.fork()
        if pid == 0:
            work(number, place)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed.append(place)
        now = apart(draws)
        changed += now[: len(seen)] != seen
        seen = now
    found = apart(finish)
    changed += found["rows"][: len(seen)] != seen
    verifier.verify(found["evidence"], found["own"])
    told = {"killed": killed, "changed": changed, "draws": len(found["rows"])}
    sys.stdout.write(json.dumps(told | {name: found[name] for name in ("waiting", "violations")}) + "\n")


if __name__ == "__main__":
    main()
