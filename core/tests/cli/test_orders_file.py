import csv
import gzip
import itertools
import json
import lzma
import os
import sys
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.cli.orders_file import (
    FIELDS,
    ImportedLine,
    ImportedOrder,
    ImportFileError,
    MappingError,
    parse_mapping,
    read_orders,
    split_total,
)

GOOD = {
    "order_id": "1",
    "member": "m",
    "occurred_at": "2024-05-01T10:00:00Z",
    "sku": "s",
    "name": "Tea",
    "category": "drinks",
    "quantity": "2",
    "unit_price": "1.25",
}


def rows_of(*changes):
    return [GOOD | change for change in changes]


def write_csv(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path, **options):
    return read_orders(path, options.pop("mapping", {}), rejects=path.parent / "rejects.csv", **options)


def read_rows(tmp_path, *changes, **options):
    return read(write_csv(tmp_path / "lines.csv", rows_of(*changes)), **options)


def rejects_of(tmp_path):
    path = tmp_path / "rejects.csv"
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.reader(file))


def reason_for(tmp_path, change, **options):
    orders, report = read_rows(tmp_path, change, **options)
    assert orders == []
    assert (report.rows, report.used, report.rejected) == (1, 0, 1)
    [_, [line, reason, *cells]] = rejects_of(tmp_path)
    assert line == "2"
    assert cells == list((GOOD | change).values())
    assert report.reasons == {reason: 1}
    return reason


# Mapping


def test_a_mapping_is_parsed_and_a_column_may_hold_an_equals_sign():
    assert parse_mapping(["order_id=InvoiceNo", "name=a=b"]) == {"order_id": "InvoiceNo", "name": "a=b"}


@pytest.mark.parametrize("item", ["order_id", "order_id=", "", "=x"])
def test_a_malformed_map_item_is_named(item):
    with pytest.raises(MappingError) as error:
        parse_mapping([item])
    assert repr(item) in str(error.value)


def test_an_unknown_field_is_answered_with_the_list_of_fields():
    with pytest.raises(MappingError, match=r"no field 'id'.*order_id, member, occurred_at") as error:
        parse_mapping(["id=x"])
    assert all(field in str(error.value) for field in FIELDS)


def test_a_field_mapped_twice_is_refused():
    with pytest.raises(MappingError, match="already mapped to 'a'"):
        parse_mapping(["sku=a", "sku=b"])


def test_a_missing_column_is_named_with_the_columns_there_are(tmp_path):
    with pytest.raises(MappingError, match=r"no column 'who' \(for member\).*order_id, member, occurred_at"):
        read_rows(tmp_path, {}, mapping={"member": "who"})


def test_a_missing_tenant_column_is_named(tmp_path):
    with pytest.raises(MappingError, match=r"no column 'Land' \(for tenant\)"):
        read_rows(tmp_path, {}, tenant_by="Land")


@pytest.mark.parametrize("field", ["order_id", "member", "occurred_at", "unit_price"])
def test_a_required_field_without_a_column_is_refused(tmp_path, field):
    row = {key: value for key, value in GOOD.items() if key != field}
    with pytest.raises(MappingError, match=f"nothing is mapped to .*{field}"):
        read(write_csv(tmp_path / "lines.csv", [row]))


def test_a_used_column_that_occurs_twice_is_refused_and_an_unused_one_is_not(tmp_path):
    path = tmp_path / "lines.csv"
    path.write_text("order_id,member,occurred_at,amount,x,x\n1,m,2024-01-01,1,,\n")
    assert read(path)[1].used == 1
    with pytest.raises(MappingError, match="more than one column 'x'"):
        read(path, mapping={"sku": "x"})


def test_unit_price_and_amount_together_need_a_choice(tmp_path):
    with pytest.raises(MappingError, match="map only one"):
        read_rows(tmp_path, {"amount": "7"})
    [by_amount], _ = read_rows(tmp_path, {"amount": "7"}, mapping={"amount": "amount"})
    [by_price], _ = read_rows(tmp_path, {"amount": "7"}, mapping={"unit_price": "unit_price"})
    assert (by_amount.total, by_price.total) == (700, 250)


# Formats


def export_rows():
    return rows_of(
        {},
        {"order_id": "2", "name": 'Käse, "alt"\nund neu', "occurred_at": "2024-04-30 23:59:59"},
        {"sku": "t", "unit_price": "0.333"},
        {"order_id": "C3", "quantity": "-1"},
        {"order_id": "4", "member": ""},
    )


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path, rows):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_every_format_gives_the_same_orders(tmp_path):
    rows = export_rows()
    plain_csv = write_csv(tmp_path / "a.csv", rows)
    plain_jsonl = write_jsonl(tmp_path / "a.jsonl", rows)
    paths = [
        plain_csv,
        plain_jsonl,
        write_csv(tmp_path / "semicolon.csv", rows, ";"),
        write_csv(tmp_path / "tab.CSV", rows, "\t"),
        write_jsonl(tmp_path / "a.ndjson", rows),
        write_parquet(tmp_path / "a.parquet", rows),
    ]
    for plain in (plain_csv, plain_jsonl):
        for suffix, module in ((".gz", gzip), (".xz", lzma)):
            packed = plain.with_name(plain.name + suffix)
            packed.write_bytes(module.compress(plain.read_bytes()))
            paths.append(packed)
    bom = tmp_path / "bom.csv"
    bom.write_bytes(b"\xef\xbb\xbf" + plain_csv.read_bytes())
    results = [read(path, refund_prefix="C") for path in [*paths, bom]]
    orders, report = results[0]
    assert [(o.order_id, o.kind, o.total, len(o.lines)) for o in orders] == [
        ("2", "order", 250, 1),
        ("1", "order", 317, 2),
        ("C3", "refund", 125, 1),
    ]
    assert orders[0].lines[0].name == 'Käse, "alt"\nund neu'
    assert (report.rows, report.used, report.orders, report.refunds) == (5, 4, 2, 1)
    assert all(result == results[0] for result in results)


def test_typed_parquet_columns_are_read_like_their_text(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    when = datetime(2024, 5, 1, 10, tzinfo=UTC)
    table = pa.table(
        {
            "order_id": pa.array([1, 2, 3, 4]),
            "member": pa.array([17850.0, None, float("nan"), 7]),
            "occurred_at": pa.array([when] * 4, pa.timestamp("ns", "Europe/London")),
            "name": pa.array(["Tea", "x", "y", "z"]).dictionary_encode(),
            "category": pa.array([b"\xff", b"", b"", b"ok"]),
            "unit_price": pa.array([2.55] * 4, pa.float32()),
            "quantity": pa.array([6.0] * 4),
            "notes": pa.array([["a"]] * 4),
        }
    )
    path = tmp_path / "typed.parquet"
    pq.write_table(table, path)
    [order], report = read(path)
    assert report.reasons == {"no member": 2, "text is not valid Unicode": 1}
    assert order == ImportedOrder(
        *(None, "order", "4", "7", datetime(2024, 5, 1, 10, tzinfo=UTC), 1530),
        (ImportedLine("", "z", "ok", 6, 1530),),
    )
    assert [row[0] for row in rejects_of(tmp_path)] == ["line", "1", "2", "3"]
    with pytest.raises(MappingError, match="'notes' holds lists"):
        read(path, mapping={"sku": "notes"})


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(ImportFileError, match=r'pip install "threepeat-core\[parquet\]"'):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz", "a.csv.bz2", "csv"])
def test_an_unknown_format_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ImportFileError, match=r"not \.csv"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.csv.xz", "a.csv.gz", "a.parquet"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ImportFileError):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv.xz", "a.csv.gz", "a.jsonl.xz", "a.jsonl.gz", "a.parquet"])
def test_a_damaged_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(os.urandom(100))
    with pytest.raises(ImportFileError):
        read(tmp_path / name)


@pytest.mark.parametrize(("suffix", "module"), [(".gz", gzip), (".xz", lzma)])
def test_a_truncated_file_is_refused(tmp_path, suffix, module):
    plain = write_csv(tmp_path / "a.csv", rows_of(*({"sku": os.urandom(9).hex()} for _ in range(2000))))
    packed = tmp_path / f"a.csv{suffix}"
    packed.write_bytes(module.compress(plain.read_bytes())[:-200])
    with pytest.raises(ImportFileError, match="damaged"):
        read(packed)


def test_a_line_that_is_not_a_json_object_is_rejected_and_the_rest_goes_in(tmp_path):
    path = tmp_path / "a.jsonl"
    good = json.dumps(GOOD)
    bad = ["{", "[1]", "7", "[" * 100_000, '{"a": 1} x', '{"name": "\x01"}']
    path.write_text("\n".join([good, *bad, "", good]))
    [order], report = read(path)
    assert len(order.lines) == 2
    assert report.reasons == {"the line is not a JSON object": len(bad)}
    assert [row[0] for row in rejects_of(tmp_path)[1:]] == ["2", "3", "4", "5", "6", "7"]


def test_json_values_are_read_exactly_and_keys_may_be_absent(tmp_path):
    path = tmp_path / "a.jsonl"
    common = '"order_id": 536365, "occurred_at": "2024-05-01"'
    path.write_text(
        f'{{{common}, "member": 17850.0, "amount": 0.1234567890123456789}}\n'
        f'{{{common}, "member": 17850, "amount": 999999999999.005, "category": "late"}}\n'
        f'{{{common}, "member": NaN, "amount": 1}}\n'
        f'{{{common}, "member": null, "amount": 1}}\n'
        f'{{{common}, "member": 17850, "amount": NaN}}\n'
        f'{{{common}, "member": 17850, "amount": Infinity}}\n'
        f'{{{common}, "member": 17850, "amount": {"9" * 5000}}}\n'
        f'{{{common}, "member": 17850, "amount": 1, "name": ["a"]}}\n'
        f'{{{common}, "member": 17850, "amount": 1, "other": ["a"]}}\n'
        f'{{{common}, "member": "\\ud800", "amount": 1}}\n'
    )
    [order], report = read(path)
    assert order.order_id == "536365"
    assert [(line.category, line.amount) for line in order.lines] == [
        ("", 12),
        ("late", 99999999999901),
        ("", 100),
    ]
    assert order.total == 100000000000013
    assert report.reasons == {
        "no member": 2,
        "amount is not a number": 3,
        "a value is a list or an object": 1,
        "text is not valid Unicode": 1,
    }
    assert rejects_of(tmp_path)[-1][4] == "\\ud800"


def test_quoting_that_is_not_well_formed_costs_its_row_only(tmp_path):
    path = tmp_path / "a.csv"
    head = "order_id,member,occurred_at,amount,name\n"
    good = "1,m,2024-01-01,1,x\n"
    path.write_text(f'{head}{good}1,m,2024-01-01,1,"a"b\n{good}1,m,2024-01-01,1,"{"a" * 200_000}"\n{good}')
    [order], report = read(path)
    assert len(order.lines) == 3
    assert report.reasons == {"the row is not well-formed CSV": 2}
    assert [row[0] for row in rejects_of(tmp_path)[1:]] == ["3", "5"]


def test_an_open_quote_at_the_end_of_the_file_is_rejected(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('order_id,member,occurred_at,amount,name\n1,m,2024-01-01,1,"x\n1,m,2024-01-01,1,y\n')
    assert read(path)[1].reasons == {"the row is not well-formed CSV": 1}


# Rejects


HOSTILE = [
    ({"member": ""}, "no member"),
    ({"member": "  "}, "no member"),
    ({"member": "", "order_id": "", "quantity": "x", "occurred_at": "x", "sku": "\0"}, "no member"),
    ({"order_id": ""}, "no order id"),
    ({"order_id": "1\0"}, "text holds a NUL character"),
    ({"member": "\0"}, "text holds a NUL character"),
    ({"name": "a\0b"}, "text holds a NUL character"),
    ({"category": "\udcff"}, "text is not valid Unicode"),
    ({"member": "m\udcff"}, "text is not valid Unicode"),
    ({"order_id": "x" * 129}, "order id is longer than 128 characters"),
    ({"member": "x" * 129}, "member is longer than 128 characters"),
    ({"sku": "x" * 129}, "sku is longer than 128 characters"),
    ({"occurred_at": ""}, "date cannot be read"),
    ({"occurred_at": "01/05/2024"}, "date cannot be read"),
    ({"occurred_at": "2024-02-30"}, "date cannot be read"),
    ({"occurred_at": "2024-05-01T10:00:00+25:00"}, "date cannot be read"),
    ({"occurred_at": "2024-05-01T10:00:00." + "0" * 10_000}, "date cannot be read"),
    ({"occurred_at": "10000-01-01"}, "date cannot be read"),
    ({"occurred_at": "1714557600"}, "date cannot be read"),
    ({"occurred_at": "\ud7ff"}, "date cannot be read"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, "date is out of range"),
    ({"occurred_at": "0001-01-01T00:00:00+05:00"}, "date is out of range"),
    ({"occurred_at": "9999-12-31T23:59:59-05:00"}, "date is out of range"),
    ({"quantity": ""}, "quantity is not a whole number"),
    ({"quantity": "2.5"}, "quantity is not a whole number"),
    ({"quantity": "1e3"}, "quantity is not a whole number"),
    ({"quantity": "1_000"}, "quantity is not a whole number"),
    ({"quantity": "٣"}, "quantity is not a whole number"),
    ({"quantity": "NaN"}, "quantity is not a whole number"),
    ({"quantity": "9" * 5000}, "quantity is not a whole number"),
    ({"quantity": "0"}, "quantity is zero"),
    ({"quantity": "-0.0"}, "quantity is zero"),
    ({"quantity": "-1"}, "quantity is negative outside a refund"),
    ({"quantity": "1000000001"}, "quantity is out of range"),
    ({"unit_price": ""}, "amount is not a number"),
    ({"unit_price": "free"}, "amount is not a number"),
    ({"unit_price": "1,25"}, "amount is not a number"),
    ({"unit_price": "£1"}, "amount is not a number"),
    ({"unit_price": "NaN"}, "amount is not a number"),
    ({"unit_price": "sNaN123"}, "amount is not a number"),
    ({"unit_price": "Infinity"}, "amount is not a number"),
    ({"unit_price": "1_0"}, "amount is not a number"),
    ({"unit_price": "٣"}, "amount is not a number"),
    ({"unit_price": "9" * 100_000}, "amount is not a number"),
    ({"unit_price": "1e400"}, "amount is out of range"),
    ({"unit_price": "1e-400"}, "amount is out of range"),
    ({"unit_price": "1e99999999999999999999"}, "amount is out of range"),
    ({"unit_price": "-1e99999999999999999999"}, "amount is out of range"),
    ({"unit_price": "5000000000000.01"}, "amount is out of range"),
    ({"unit_price": "-0.01"}, "amount is negative"),
]


@pytest.mark.parametrize(("change", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_row_is_rejected_with_its_reason(tmp_path, change, reason):
    assert reason_for(tmp_path, change) == reason


def test_a_rejected_prefix_wins_over_no_member(tmp_path):
    change = {"order_id": "A1", "member": ""}
    assert reason_for(tmp_path, change, reject_prefixes=("B", "A", "")) == "order id begins with A"


def test_the_limits_themselves_are_accepted(tmp_path):
    [order], report = read_rows(
        tmp_path,
        {"order_id": "x" * 128, "quantity": "1000000000.00", "unit_price": "10000", "name": "n" * 201},
        {"order_id": "x" * 128, "unit_price": "0", "occurred_at": "1970-01-01"},
    )
    assert report.rejected == 0
    assert order.total == 10**15
    assert order.lines[0].name == "n" * 200


def test_an_order_total_out_of_range_rejects_the_line_that_would_exceed_it(tmp_path):
    most = {"quantity": "1", "unit_price": "9999999999999.99"}
    [order], report = read_rows(tmp_path, most, {"unit_price": "0.01"}, {"quantity": "1", "unit_price": "0.01"})
    assert order.total == 10**15
    assert report.reasons == {"amount is out of range": 1}


def test_a_row_of_another_width_is_rejected_with_both_counts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("order_id,member,occurred_at,amount\n1,m,2024-01-01\n\n1,m,2024-01-01,1,,\n1,m,2024-01-01,1\n")
    _, report = read(path)
    assert (report.rows, report.used) == (3, 1)
    assert rejects_of(tmp_path) == [
        ["line", "reason", "order_id", "member", "occurred_at", "amount"],
        ["2", "the row has 3 cells, the header has 4", "1", "m", "2024-01-01"],
        ["4", "the row has 6 cells, the header has 4", "1", "m", "2024-01-01", "1", "", ""],
    ]


def test_the_line_number_of_a_reject_is_the_physical_line_its_row_starts_on(tmp_path):
    read_rows(tmp_path, {"name": "two\nlines"}, {"name": "three\n\nlines", "member": ""}, {"member": ""})
    assert [row[0] for row in rejects_of(tmp_path)] == ["line", "4", "7"]


def test_formulas_and_broken_bytes_stand_in_the_rejects_file_as_they_were(tmp_path):
    change = {"member": "", "name": "=1+1", "category": "\udcff\r@x", "sku": "+-\t"}
    assert reason_for(tmp_path, change) == "no member"
    assert b"\xff\r@x" in (tmp_path / "rejects.csv").read_bytes()


def test_the_rejects_file_can_be_mended_and_imported(tmp_path):
    read_rows(tmp_path, {}, {"member": ""})
    rejects = tmp_path / "rejects.csv"
    mended = tmp_path / "mended.csv"
    mended.write_text(rejects.read_text().replace("1,,2024", "1,m,2024"))
    assert read(mended)[1].used == 1


def test_no_rejects_file_is_left_when_nothing_is_rejected(tmp_path):
    (tmp_path / "rejects.csv").write_text("of an earlier run")
    read_rows(tmp_path, {})
    assert not (tmp_path / "rejects.csv").exists()


def test_a_file_is_not_its_own_rejects_file(tmp_path):
    path = write_csv(tmp_path / "rejects.csv", rows_of({}))
    with pytest.raises(ImportFileError, match="its own rejects"):
        read(path)
    assert path.exists()


# Orders


def test_a_float_export_of_a_member_is_the_same_member(tmp_path):
    [order], _ = read_rows(tmp_path, {"member": "17850.0"}, {"member": "17850"}, {"member": " 17850 "})
    assert order.member == "17850"
    [other], _ = read_rows(tmp_path, {"member": "v1.0"})
    assert other.member == "v1.0"


def test_lines_of_one_order_need_not_stand_together(tmp_path):
    orders, report = read_rows(
        tmp_path,
        {"order_id": "1", "occurred_at": "2024-05-03"},
        {"order_id": "2", "occurred_at": "2024-05-02"},
        {"order_id": "1", "occurred_at": "2024-05-01", "sku": "t"},
    )
    assert [(o.order_id, o.occurred_at.day, [line.sku for line in o.lines]) for o in orders] == [
        ("1", 1, ["s", "t"]),
        ("2", 2, ["s"]),
    ]
    assert (report.used, report.orders) == (3, 2)


def test_a_line_of_another_member_is_rejected_whatever_was_rejected_before(tmp_path):
    [order], report = read_rows(
        tmp_path, {"member": "a", "quantity": "0"}, {"member": "b"}, {"member": "a"}, {"member": "b"}
    )
    assert (order.member, len(order.lines)) == ("b", 2)
    assert report.reasons == {"quantity is zero": 1, "member differs from the order's first line": 1}


def test_orders_are_sorted_by_time_then_kind_then_id(tmp_path):
    later = {"occurred_at": "2024-05-02"}
    orders, _ = read_rows(
        tmp_path,
        *({"order_id": f"C{n}", "quantity": "-1"} for n in (2, 1)),
        later | {"order_id": "0"},
        *({"order_id": f"{n}"} for n in (9, 8)),
        refund_prefix="C",
    )
    assert [order.order_id for order in orders] == ["8", "9", "C1", "C2", "0"]


def test_tenants_keep_orders_of_the_same_id_apart(tmp_path):
    orders, report = read_rows(
        tmp_path,
        {"land": "b"},
        {"land": "a", "member": "n"},
        {"land": " "},
        {"land": "x" * 129},
        tenant_by="land",
    )
    assert [(order.tenant, order.member) for order in orders] == [("a", "n"), ("b", "m")]
    assert report.reasons == {"no tenant": 1, "tenant is longer than 128 characters": 1}


def test_a_refund_takes_absolute_amounts_and_refuses_positive_quantities(tmp_path):
    [refund], report = read_rows(
        tmp_path,
        {"order_id": "C1", "quantity": "-2.0"},
        {"order_id": "C1", "quantity": "2"},
        {"order_id": "C1", "quantity": "-2", "unit_price": "-1"},
        refund_prefix="C",
    )
    assert refund == ImportedOrder(
        *(None, "refund", "C1", "m", datetime(2024, 5, 1, 10, tzinfo=UTC), 250),
        (ImportedLine("s", "Tea", "drinks", 2, 250),),
    )
    assert report.reasons == {"quantity is positive in a refund": 1, "amount is negative": 1}
    assert report.refunds == 1


def test_amounts_are_line_totals_and_may_be_negative_only_in_refunds(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "order_id,member,occurred_at,amount\n1,m,2024-01-01,9.99\n1,m,2024-01-01,-1\nC1,m,2024-01-01,-2.50\n"
    )
    orders, report = read(path, refund_prefix="C")
    assert [(order.kind, order.total, order.lines[0].quantity) for order in orders] == [
        ("order", 999, 1),
        ("refund", 250, 1),
    ]
    assert report.reasons == {"amount is negative": 1}


def test_a_tenant_has_one_currency(tmp_path):
    _, report = read_rows(
        tmp_path,
        *(
            {"land": land, "currency": code}
            for land, code in [("a", "GBP"), ("b", "CNY"), ("a", "CNY"), ("a", "")]
        ),
        tenant_by="land",
    )
    assert report.used == 2
    assert report.reasons == {"currency differs from the tenant's first line": 1, "no currency": 1}


def test_minor_digits_are_those_of_the_currency(tmp_path):
    [yen], _ = read_rows(tmp_path, {"unit_price": "120", "quantity": "3"}, minor_digits=0)
    [dinar], _ = read_rows(tmp_path, {"unit_price": "1.2345", "quantity": "1"}, minor_digits=3)
    assert (yen.total, dinar.total) == (360, 1234)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00"),
        ("2024-05-01 10:00:00+08:00", "2024-05-01T02:00:00"),
        ("2024-05-01 10:00", "2024-05-01T02:00:00"),
        ("2024-05-01", "2024-04-30T16:00:00"),
        ("2024-05-01T10:00:00.123456789", "2024-05-01T02:00:00.123456"),
    ],
)
def test_a_time_without_an_offset_is_in_the_given_timezone(tmp_path, text, utc):
    [order], _ = read_rows(tmp_path, {"occurred_at": text}, timezone=ZoneInfo("Asia/Shanghai"))
    assert order.occurred_at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert order.occurred_at.tzinfo is UTC


def test_the_total_is_rounded_once_and_the_lines_add_up_to_it(tmp_path):
    [order], _ = read_rows(tmp_path, *({"quantity": "1", "unit_price": "0.005"} for _ in range(3)))
    assert order.total == 2
    assert [line.amount for line in order.lines] == [1, 1, 0]


values = st.lists(st.decimals(0, 10**6, places=4), max_size=30)


@given(values)
def test_a_split_adds_up_and_moves_no_line_by_a_whole_unit(exact):
    total, parts = split_total(exact)
    assert total == sum(parts) == round(sum(exact, Decimal()))
    assert all(part >= 0 and abs(part - value) < 1 for part, value in zip(parts, exact, strict=True))


@given(values)
def test_a_split_moves_the_lines_with_the_largest_remainders(exact):
    _, parts = split_total(exact)
    moved = [(part - round(value), value - round(value)) for part, value in zip(parts, exact, strict=True)]
    for step in (1, -1):
        if any(move == step for move, _ in moved):
            taken = min(rest * step for move, rest in moved if move == step)
            assert all(rest * step <= taken for move, rest in moved if move == 0)


# Progress


def test_progress_rises_to_the_size_of_the_file(tmp_path):
    path = write_csv(tmp_path / "a.csv", rows_of(*({"order_id": str(n)} for n in range(60_000))))
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    parquet = write_parquet(tmp_path / "a.parquet", rows_of(*({"order_id": str(n)} for n in range(60_000))))
    for file, least in ((path, 50), (packed, 20), (parquet, 50)):
        calls = []
        read(file, progress=lambda *call, calls=calls: calls.append(call))
        assert least <= len(calls) <= 102
        assert [done for done, _ in calls] == sorted({done for done, _ in calls})
        assert {total for _, total in calls} == {file.stat().st_size}
        assert calls[-1][0] == file.stat().st_size


# Real data


def retail_file():
    given = os.environ.get("THREEPEAT_DATA_DIR")
    folders = [Path(given)] if given else [p / "shared/data" for p in Path(__file__).resolve().parents]
    return next((f / "online_retail.csv.xz" for f in folders if (f / "online_retail.csv.xz").is_file()), None)


RETAIL = {
    "order_id": "InvoiceNo",
    "member": "CustomerID",
    "occurred_at": "InvoiceDate",
    "sku": "StockCode",
    "name": "Description",
    "quantity": "Quantity",
    "unit_price": "UnitPrice",
}


RETAIL_IS_HERE = pytest.mark.skipif(
    retail_file() is None, reason="shared/data/online_retail.csv.xz is not beside the repository"
)


def read_retail(path, tmp_path):
    """The orders of a file, the report, how often progress was told, the countries and how many lines count."""
    calls = []
    orders, report = read_orders(
        path,
        RETAIL,
        tenant_by="Country",
        refund_prefix="C",
        reject_prefixes=("A",),
        rejects=tmp_path / "rejects.csv",
        progress=lambda *call: calls.append(call),
    )

    expected = defaultdict(Decimal)
    lines = 0
    countries = set()
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            countries.add(row["Country"])
            if row["CustomerID"] and not row["InvoiceNo"].startswith("A"):
                lines += 1
                value = Decimal(row["UnitPrice"]) * abs(int(row["Quantity"]))
                expected[row["Country"], row["InvoiceNo"]] += value
    pounds = {key: value.quantize(Decimal("0.01")) for key, value in expected.items()}
    assert {(o.tenant, o.order_id): Decimal(o.total).scaleb(-2) for o in orders} == pounds
    assert all(sum(line.amount for line in order.lines) == order.total for order in orders)
    assert report.used == lines
    assert len(calls) <= 102
    return orders, report, len(calls), countries, lines


@RETAIL_IS_HERE
def test_the_first_of_online_retail_agree_with_an_independent_reading(tmp_path):
    path = tmp_path / "first.csv.xz"
    with lzma.open(retail_file(), "rb") as whole, lzma.open(path, "wb", preset=0) as first:
        first.writelines(itertools.islice(whole, 1 + 40_000))
    orders, report, _calls, _countries, lines = read_retail(path, tmp_path)
    assert report.rows == 40_000
    assert 0 < report.rejected == 40_000 - lines
    assert {order.kind for order in orders} == {"order", "refund"}
    assert len(rejects_of(tmp_path)) == report.rejected + 1


@RETAIL_IS_HERE
@pytest.mark.long
def test_online_retail_agrees_with_an_independent_reading(tmp_path):
    orders, report, calls, countries, lines = read_retail(retail_file(), tmp_path)
    assert sum(order.total for order in orders if order.kind == "order") == 891_140_790
    assert sum(order.total for order in orders if order.kind == "refund") == 61_134_209
    assert (report.rows, report.used, report.rejected) == (541_909, lines, 135_080)
    assert report.reasons == {"no member": 135_077, "order id begins with A": 3}
    assert (report.orders, report.refunds) == (18_536, 3_654)
    # None of Hong Kong's rows has a customer, so one of the 38 countries has no orders.
    assert countries - {order.tenant for order in orders} == {"Hong Kong"}
    assert len(countries) == 38
    assert len(rejects_of(tmp_path)) == 135_081
    assert 80 <= calls <= 102
