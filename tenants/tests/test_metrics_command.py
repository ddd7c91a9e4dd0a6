"""`threepeat metrics`, run as its user runs it."""

import json


def test_what_the_plugins_report_is_shown_as_tables_and_as_json(cluster, tmp_path, terminal):
    with cluster.database() as name:
        threepeat = terminal(cluster.environment(name, tmp_path), level="critical")
        threepeat("tenant", "create", "tea", "--enable", "points")
        shown = threepeat("metrics", "tea", "--days", "2")
        assert "Points" in shown
        assert "How many orders are paid each day?" in shown
        assert "CN¥0.00" in shown
        assert "Spent points" in shown
        assert "could not be computed" not in shown

        found = json.loads(threepeat("metrics", "tea", "points", "--days", "3", "--json"))
        assert [one["id"] for one in found["plugins"]] == ["points"]
        assert len(found["days"]) == 3
        assert "days: choose 1 to 366" in threepeat("metrics", "tea", "--days", "367", code=1)
        assert "reports nothing in this store" in threepeat("metrics", "tea", "nowhere", code=1)
