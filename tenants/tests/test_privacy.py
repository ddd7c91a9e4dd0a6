"""The commands member, receipt and tenant export|delete, run as their user runs them."""

import json
import zipfile

import pytest

from threepeat.events.erasure_list import read


@pytest.fixture
def threepeat(cluster, tmp_path, terminal):
    with cluster.database() as name:
        run = terminal(cluster.environment(name, tmp_path))
        run("tenant", "create", "tea", "--name", "Tea House", "--enable", "points")
        yield run


@pytest.fixture
def shop(threepeat, tmp_path):
    """The same with two customers who bought something."""
    orders = tmp_path / "orders.csv"
    orders.write_text(
        "order_id,member,occurred_at,amount,sku\n1,ann,2026-05-01T12:00:00Z,12.00,tea\n2,bob,2026-05-02T12:00:00Z,24.00,tea\n"
    )
    threepeat("tactic", "set", "tea", "points", "--holdout", "0")
    assert "2 new" in threepeat("import", "orders", str(orders), "--tenant", "tea")
    threepeat("worker", "--drain")
    return threepeat


def test_a_member_is_exported_erased_and_the_receipt_checked(shop, tmp_path):
    export, receipt, keys = tmp_path / "ann.json", tmp_path / "ann.receipt", tmp_path / "keys.json"
    assert "bytes" in shop("member", "export", "tea", "ann", "--to", str(export))
    taken = json.loads(export.read_text())
    assert taken["tables"]["points.lot"][0]["granted"] == 12
    assert "bob" not in export.read_text()
    assert export.stat().st_mode & 0o777 == 0o600
    packed = tmp_path / "ann.zip"
    shop("member", "export", "tea", "ann", "--to", str(packed), "--format", "csv")
    assert "points.lot.csv" in zipfile.ZipFile(packed).namelist()

    assert "another id" in shop("member", "erase", "tea", "ann", typed="anna\n", code=1)
    assert "bytes" in shop("member", "export", "tea", "ann", "--to", str(export))
    said = shop("member", "erase", "tea", "ann", "--receipt", str(receipt), typed="ann\n")
    assert "erased; erasure " in said
    assert "there is no member 'ann'" in shop("member", "export", "tea", "ann", "--to", str(export), code=1)
    keys.write_text(shop("receipt", "keys"))
    for arguments in ((), ("--keys", str(keys))):
        stated = json.loads(shop("receipt", "verify", str(receipt), *arguments))
        assert (stated["store"], stated["requested_by"]) == ("tea", "operator")
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"id": "x", "receipt": receipt.read_text().strip()}))
    assert '"store": "tea"' in shop("receipt", "verify", str(answer))
    receipt.write_text(receipt.read_text()[:-5] + "AAAA\n")
    assert "changed after it was signed" in shop("receipt", "verify", str(receipt), code=1)
    assert "0 violated" in shop("verify")
    listed = read((tmp_path / "erasures.jsonl").read_text().splitlines())
    assert [(one.slug, one.kind) for one in listed] == [("tea", "member")]


def test_a_tenant_is_exported_and_deleted(shop, tmp_path):
    shop("tenant", "create", "coffee")
    export = tmp_path / "tea.zip"
    assert "rows of" in shop("tenant", "export", "tea", "--to", str(export))
    first = zipfile.ZipFile(export)
    assert json.loads(first.read("manifest.json"))["tables"]["points.lot"]["rows"] == 2
    assert "another name" in shop("tenant", "delete", "tea", "--yes", "coffee", code=1)
    assert "another name" in shop("tenant", "delete", "tea", typed="n\nte\n", code=1)
    assert "tea" in shop("tenant", "list")
    export.unlink()
    said = shop("tenant", "delete", "tea", "--yes", "tea", "--export", str(export))
    assert "tea is gone" in said
    assert json.loads(zipfile.ZipFile(export).read("manifest.json"))["store"]["slug"] == "tea"
    listed = shop("tenant", "list")
    assert "tea" not in listed
    assert "coffee" in listed
    assert "there is no tenant 'tea'" in shop("tenant", "delete", "tea", "--yes", "tea", code=1)
    assert [one.kind for one in read((tmp_path / "erasures.jsonl").read_text().splitlines())] == ["tenant"]


def test_deleting_offers_an_export_first(threepeat, tmp_path):
    export = tmp_path / "before.zip"
    said = threepeat("tenant", "delete", "tea", typed=f"y\n{export}\ntea\n")
    assert "Export it first?" in said
    assert "Everything of Tea House goes for good" in said
    assert zipfile.ZipFile(export).testzip() is None


def test_what_cannot_be_done_is_said_in_one_line(threepeat):
    for arguments, says in (
        (("member", "export", "tea", "nobody", "--to", "x.json"), "there is no member 'nobody'"),
        (("member", "export", "nowhere", "ann", "--to", "x.json"), "there is no tenant 'nowhere'"),
        (("member", "export", "tea", "ann", "--to", "x", "--format", "xml"), "--format: choose json or csv"),
        (("member", "erase", "tea", "nobody", "--yes"), "there is no member 'nobody'"),
        (("tenant", "export", "tea", "--to", "/nowhere/x"), "cannot be written"),
    ):
        assert says in threepeat(*arguments, code=1)


def test_an_erasure_that_cannot_be_listed_says_so_and_goes_on_later(shop, tmp_path):
    said = shop("member", "erase", "tea", "ann", "--yes", code=1, THREEPEAT_ERASURES=str(tmp_path))
    assert "the list of erasures cannot be written" in said
    shop("worker", "--drain")
    assert [one.kind for one in read((tmp_path / "erasures.jsonl").read_text().splitlines())] == ["member"]
    assert "0 violated" in shop("verify")


def test_something_else_is_no_receipt(threepeat, tmp_path):
    for content in ("", "{}", "nonsense", "\ufffd"):
        (tmp_path / "file").write_text(content)
        assert "FILE: " in threepeat("receipt", "verify", str(tmp_path / "file"), code=1)
