"""What tests of points share, whatever their store is made of."""

import httpx2
import pytest
from sqlalchemy import event

from threepeat.testing.fixtures import serving


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for a file; every test makes tenants of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def statements(platform):
    """Notes the statements that run while something is done: `statements(shop.serve)`."""

    def note(work):
        seen = []

        def keep(_connection, _cursor, statement, *_):
            seen.append(statement)

        event.listen(platform.database.app, "before_cursor_execute", keep)
        try:
            work()
        finally:
            event.remove(platform.database.app, "before_cursor_execute", keep)
        return seen

    return note
