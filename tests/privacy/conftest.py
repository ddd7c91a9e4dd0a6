"""What the proofs about people's data share: canaries, and where they are looked for."""

import pytest

from threepeat.testing.canaries import WORD, Canaries, Planter, dump, every_event
from threepeat.testing.cluster import Cluster


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


def admin_url(cluster: Cluster, database: str) -> str:
    """A superuser's URL of a database."""
    base, _, query = cluster.admin_url.partition("?")
    return f"{base.rpartition('/')[0]}/{database}" + (f"?{query}" if query else "")


class Tools:
    """What the proofs of this folder share; a fixture, because test files do not import each other."""

    Planter = Planter
    WORD = WORD
    dump = staticmethod(dump)
    every_event = staticmethod(every_event)
    admin_url = staticmethod(admin_url)


@pytest.fixture
def tools() -> type[Tools]:
    return Tools
