"""Members leave while their events, commands and handlers are under way: none of it outlives them."""

import random
import threading
import time
from collections import Counter
from typing import Any

import httpx2

from threepeat.events.platform import Platform
from threepeat.events.verify import verify
from threepeat.worker.loop import Worker

MEMBERS = 12
STAY = 2
SECONDS = 60


class Crowd:
    """Members who do things as long as nobody tells them to stop, and leave one after the other."""

    def __init__(self, client: httpx2.Client, key: str, names: list[str], seed: int) -> None:
        self.gone: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.stop = threading.Event()
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._names = names
        self._seed = seed
        self._lock = threading.Lock()

    def trade(self, number: int) -> None:
        """Orders and commands of whoever comes next."""
        chance = random.Random(self._seed + number)
        while not self.stop.is_set():
            name = chance.choice(self._names)
            order = f"{name}-order-{chance.randrange(1 << 40)}"
            data = {"order_id": order, "total": 1200, "currency": "CNY"}
            event = {"specversion": "1.0", "id": order, "source": "shop", "type": "order.paid", "subject": name}
            self._count(self._client.post("/v1/events", json={**event, "data": data}, headers=self._headers))
            token = self._client.post(f"/v1/members/{name}/token", headers=self._headers)
            if token.status_code == 200:
                mine = {"Authorization": f"Bearer {token.json()['token']}", "Idempotency-Key": order}
                consent = {"purpose": name, "granted": True}
                self._count(self._client.post("/v1/me/consents", json=consent, headers=mine))

    def leave(self) -> None:
        """All but a few, in any order."""
        chance = random.Random(self._seed)
        for name in chance.sample(self._names, len(self._names) - STAY):
            time.sleep(chance.random() / 4)
            answer = self._client.delete(f"/v1/members/{name}", headers=self._headers)
            while answer.status_code in {404, 503}:
                time.sleep(0.05)
                answer = self._client.delete(f"/v1/members/{name}", headers=self._headers)
            self._count(answer)
            self.gone[name] = answer.json()["id"]

    def all_complete(self) -> bool:
        return all(
            self._client.get(f"/v1/erasures/{erasure}", headers=self._headers).json()["completed_at"]
            for erasure in self.gone.values()
        )

    def _count(self, answer: httpx2.Response) -> None:
        with self._lock:
            self.statuses[answer.status_code] += 1


def test_what_races_an_erasure_leaves_nothing(
    platform: Platform, client: Any, make_tenant: Any, make_key: Any, tools: Any, cluster: Any
):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    store = make_tenant("tea", enable=("points",))
    names = [f"{tools.WORD}-m{number:02}z" for number in range(MEMBERS)]
    crowd = Crowd(client, make_key(store, "ingest", "manage"), names, seed)
    workers = [Worker(platform) for _ in range(2)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    threads += [threading.Thread(target=crowd.trade, args=(number,)) for number in range(3)]
    leaving = threading.Thread(target=crowd.leave)
    for thread in (*threads, leaving):
        thread.start()
    leaving.join(SECONDS)
    crowd.stop.set()
    assert len(crowd.gone) == MEMBERS - STAY
    until = time.monotonic() + SECONDS
    while not crowd.all_complete():
        assert time.monotonic() < until
        time.sleep(0.1)
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join(SECONDS)
    Worker(platform).drain()

    statuses = crowd.statuses
    assert set(statuses) <= {200, 202, 401, 422, 429, 503}, statuses
    assert statuses[200] > 20
    assert statuses[202] == MEMBERS - STAY
    assert statuses[422] > 0, "events of those who had left were refused"
    url = tools.admin_url(cluster, platform.database.urls.app.database)
    for name in names:
        assert (tools.dump(url, name) == {}) is (name in crowd.gone), name
    assert [finding for finding in verify(platform, store) if finding.rows] == []
