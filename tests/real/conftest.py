"""An installation into which the real orders are imported."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from threepeat.testing.fixtures import Cluster

ONLINE_RETAIL = Path(
    os.environ.get("THREEPEAT_DATA_DIR", Path(__file__).resolve().parents[3] / "shared" / "data"),
    "online_retail.csv.xz",
)
MAPPING = (
    "order_id=InvoiceNo occurred_at=InvoiceDate member=CustomerID sku=StockCode name=Description "
    "quantity=Quantity unit_price=UnitPrice"
)


@dataclass
class Installation:
    """A database, and the environment in which `threepeat` works on it."""

    ops_url: str
    environment: dict[str, str]
    folder: Path

    def outcome(self, *arguments: str) -> tuple[int, str]:
        """Run `threepeat` to its end; its exit code and what it printed."""
        done = subprocess.run(
            self._command(arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, *arguments: str) -> str:
        """Run `threepeat`, which has to succeed, and return what it printed."""
        code, printed = self.outcome(*arguments)
        assert code == 0, f"{arguments}: {printed}"
        return printed

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run `threepeat` beside the block; it is ended by its process id."""
        with (self.folder / "process.log").open("w") as log:
            process = subprocess.Popen(
                self._command(arguments), env=self.environment, stdout=log, stderr=log, text=True
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(30)

    def import_online_retail(self, holdout: int) -> tuple[str, ...]:
        """The arguments that import the real file, a store for each country."""
        rejects = str(self.folder / "rejects.csv")
        return (
            *("import", "orders", str(ONLINE_RETAIL), "--tenant-by", "Country", "--map", MAPPING),
            *("--currency", "GBP", "--timezone", "Europe/London", "--refund-prefix", "C", "--reject-prefix", "A"),
            *("--enable", "points", "--holdout", str(holdout), "--clock", "data", "--rejects", rejects),
        )

    def rows(self, query: str) -> list[tuple]:
        """The answer to a query of the ops role, which sees every tenant."""
        with psycopg.connect(self.ops_url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def wait_until_served(self, seconds: float = 120) -> None:
        """Wait until every plugin has seen every event of every tenant."""
        until = time.monotonic() + seconds
        behind = """
            SELECT count(*) FROM core.stream s JOIN core.cursor c USING (tenant_id) WHERE c.position < s.head
        """
        while self.rows(behind)[0][0] or self.rows("SELECT count(*) FROM core.outbox")[0][0]:
            assert time.monotonic() < until, "the worker does not come to an end"
            time.sleep(0.1)

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "threepeat.cli", "--log-level", "warning", *arguments]


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The file of the real orders."""
    return ONLINE_RETAIL


@pytest.fixture
def installation(cluster: Cluster, tmp_path: Path) -> Iterator[Installation]:
    if not ONLINE_RETAIL.exists():
        pytest.skip(
            f"the real orders are not here: {ONLINE_RETAIL.name} is missing (THREEPEAT_DATA_DIR names a folder)"
        )
    with cluster.database() as name:
        yield Installation(cluster.url("ops", name), cluster.environment(name, tmp_path), tmp_path)
