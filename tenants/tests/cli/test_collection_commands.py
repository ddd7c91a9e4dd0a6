"""The command `threepeat collection`, run in this process on a database of its own."""

import json
import re
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app

TODAY = date.today()  # noqa: DTZ011 - a day around the test's own
LATER = str(TODAY + timedelta(days=30))


@pytest.fixture(scope="module")
def threepeat(cluster, tmp_path_factory):
    """Runs commands; one store with points on and one without."""
    runner = CliRunner()
    with cluster.database() as name, pytest.MonkeyPatch.context() as patch:
        for key, value in cluster.environment(name, tmp_path_factory.mktemp("data")).items():
            patch.setenv(key, value)
        patch.setenv("COLUMNS", "200")

        def run(*arguments, code=0, typed=None):
            done = runner.invoke(app, ["--log-level", "error", *arguments], input=typed)
            assert done.exit_code == code, (done.output, done.exception)
            return done.output

        run("tenant", "create", "tea", "--enable", "points")
        run("tenant", "create", "milk")
        yield run


def day(**changes):
    return json.dumps({"name": "Tea day", "factor": 2, "first_day": LATER, "last_day": LATER, **changes})


def made(output):
    return re.search(r"points/bonus_days/(\d+) is draft, revision 1", output)[1]


def test_an_item_is_made_changed_published_closed_and_listed(threepeat):
    assert re.search(
        r"points .*bonus_days .*Bonus days .*draft, published, closed .*publish, close",
        threepeat("collection", "list", "tea"),
    )
    where = ("tea", "points", "bonus_days")
    item = made(threepeat("collection", "create", *where, day(name="[red]Tea\x1b[2J")))
    changed = threepeat("collection", "update", *where, item, '{"factor": "1.5"}')
    assert "revision 2" in changed
    assert re.search(r"factor .*1\.5", changed)
    assert "[red]Tea [2J" in changed
    assert "possible now: update, publish" in changed
    assert "is published, revision 3" in threepeat("collection", "act", *where, item, "publish", "--revision", "2")
    listed = threepeat("collection", "list", *where, "--state", "published", "--search", "TEA")
    assert re.search(rf"{item} .*Tea .*published .*3 .*not begun", listed)
    assert "is closed" in threepeat("collection", "act", *where, item, "close")
    assert "possible now: nothing" in threepeat("collection", "show", *where, item)


def test_values_come_from_a_file_or_a_pipe(threepeat, tmp_path):
    where = ("tea", "points", "bonus_days")
    file = tmp_path / "day.json"
    file.write_text(day())
    for given in (f"@{file}", "-"):
        made(threepeat("collection", "create", *where, given, typed=day()))
    page = threepeat("collection", "list", *where, "--limit", "1")
    (after,) = re.findall(r"there are more: --after (\d+)", page)
    assert "Tea day" in threepeat("collection", "list", *where, "--after", after)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("create", "tea", "points", "bonus_days", "{"), "JSON: that is no JSON"),
        (("create", "tea", "points", "bonus_days", "[]"), "JSON: give an object"),
        (("create", "tea", "points", "bonus_days", "@nowhere"), "nowhere cannot be read"),
        (("create", "tea", "points", "bonus_days", day(factor=11)), "values.factor"),
        (("create", "tea", "points", "bonus_days", day(name="a\0b")), "values.name: holds a NUL character"),
        (("create", "milk", "points", "bonus_days", day()), "switch it on first"),
        (("list", "tea", "points", "wishes"), "has no collection 'wishes'"),
        (("list", "tea", "gold", "bonus_days"), "there is no plugin 'gold'"),
        (("list", "tea", "points", "bonus_days", "--limit", "0"), "limit: choose 1 to 100"),
        (("show", "tea", "points", "bonus_days", "987654"), "has no item '987654'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(threepeat, arguments, reason):
    said = threepeat("collection", *arguments, code=1)
    assert reason in said.replace("\n", " ")
    assert "Traceback" not in said


def test_the_rules_of_the_plugin_and_other_writers_are_told(threepeat):
    where = ("tea", "points", "bonus_days")
    past = str(TODAY - timedelta(days=30))
    item = made(threepeat("collection", "create", *where, day(first_day=past, last_day=past)))
    assert "The last day is over" in threepeat("collection", "act", *where, item, "publish", code=1)
    assert "somebody else" in threepeat("collection", "update", *where, item, "{}", "--revision", "7", code=1)
    assert "no action 'melt'" in threepeat("collection", "act", *where, item, "melt", code=1)


def test_a_secret_is_printed_once_and_what_was_missed_is_sent_again(threepeat):
    where = ("tea", "webhooks", "endpoints")
    output = threepeat("collection", "create", *where, '{"name": "Orders", "url": "https://shop.example.com/"}')
    (secret,) = re.findall(r"^Signing secret, shown this once:\n(whsec_\S+)$", output, re.MULTILINE)
    item = re.search(r"webhooks/endpoints/(\d+) is active", output)[1]
    assert secret not in threepeat("collection", "show", *where, item)
    assert "whsec_" in threepeat("collection", "act", *where, item, "rotate")
    since = json.dumps({"endpoint": item, "since": f"{TODAY - timedelta(days=2)}T00:00:00Z"})
    assert "is running" in threepeat("collection", "create", "tea", "webhooks", "resends", since)
    assert "values.url" in threepeat("collection", "update", *where, item, '{"url": "https://10.0.0.1/"}', code=1)
