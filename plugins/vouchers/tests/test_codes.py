"""Bearer codes: made in parts, written again from a secret, good once, and not to be guessed."""

import re

import pytest

from threepeat.sdk import Refused
from threepeat.tenancy.errors import Conflict, NotFound
from threepeat_vouchers import batches, codes

TEA = ("green", 6_000, "tea")


def test_a_code_has_a_hundred_random_bits_and_reads_as_people_type_it():
    secret = codes.new_secret()
    made = list(codes.derive(secret, 1, 2_000))
    assert len(set(made)) == 2_000
    assert made[9:12] == list(codes.derive(secret, 10, 12)), "the same whenever it is asked for"
    assert set("".join(made)) == set(codes.ALPHABET)
    assert len(codes.ALPHABET) ** codes.SYMBOLS == 2**100
    assert set(made).isdisjoint(codes.derive(codes.new_secret(), 1, 2_000))
    for one in made[:50]:
        shown = codes.shown(one)
        assert re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", shown)
        for typed in (shown, shown.lower(), shown.replace("-", " "), f" {one} ", shown.replace("0", "o")):
            assert codes.read(typed) == one
        assert codes.read(shown.replace("1", "l").replace("0", "O")) == one
        assert codes.is_code(shown)
    assert codes.hashed(1, made[0]) != codes.hashed(2, made[0])


def test_a_batch_is_made_in_parts_and_only_hashes_are_stored(shop, monkeypatch):
    monkeypatch.setattr(batches, "PART", 7)
    template = shop.template(total=25)
    batch = shop.draft("batches", name="Flyer", template=template, size=20)
    assert (batch.state, batch.figures["Made"]) == ("making", "0 of 20")
    with pytest.raises(Conflict):
        shop.file(batch.id)
    shop.worker.drain()
    made = shop.item(batch.id, "batches")
    assert (made.state, made.figures["Made"], made.revision) == ("ready", "20 of 20", 1)
    lines = shop.file(batch.id).decode("utf-8-sig").splitlines()
    assert lines[0] == "Number,Code"
    shown = [line.split(",")[1] for line in lines[1:]]
    assert len(set(shown)) == 20
    tables = ("code", "batch")
    stored = " ".join(str(row) for table in tables for row in shop.rows(f"SELECT * FROM vouchers.{table}"))
    assert not any(one in stored or codes.read(one) in stored for one in shown)
    trail = shop.rows("SELECT count(*) FROM core.audit WHERE action = 'collection.downloaded'")
    assert trail == [(1,)]
    assert shop.rows("SELECT issued FROM vouchers.template") == [(20,)]
    with pytest.raises(Refused, match="only 5 left"):
        shop.draft("batches", name="More", template=template, size=6)
    with pytest.raises(NotFound):
        shop.file(template, "templates")


def test_a_batch_needs_an_active_template_and_stands_once_it_is_made(shop):
    draft = shop.draft()
    for template in (draft.id, "0", "x", "9" * 30):
        with pytest.raises(Refused) as refused:
            shop.draft("batches", name="x", template=template, size=1)
        assert refused.value.code == "not-active"
    template = shop.template()
    batch = shop.draft("batches", name="x", template=template, size=3)
    shop.worker.drain()
    assert shop.change(batch.id, "batches", name="y").values.name == "y"
    with pytest.raises(Refused):
        shop.change(batch.id, "batches", size=4)


def test_a_code_is_the_first_ones_who_enters_it(shop):
    template = shop.template()
    code, other = shop.codes(template, 2)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code.lower())
    answer = shop.enter(wide).json()
    assert (answer["reason"], answer["voucher"]["state"]) == (None, "usable")
    assert shop.enter(code).json()["voucher"]["id"] == answer["voucher"]["id"], "it is the member's already"
    refused = shop.enter(code, "bob")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:threepeat:problem:taken")
    assert shop.wallet(name="bob") == {}
    wrong = shop.enter("0000-0000-0000-0000-0000", "bob").json()
    assert (wrong["voucher"], wrong["reason"]) == (None, {"en": "there is no such code", "zh": "兑换码不存在"})
    assert shop.enter(other, "bob").status_code == 200
    assert [data["source"] for (data,) in shop.events("voucher.issued")] == ["code", "code"]


def test_a_code_of_another_store_is_none(shop, open_shop):
    there = open_shop()
    code = there.codes(there.template(), 1)[0]
    assert shop.enter(code).json()["voucher"] is None
    assert shop.quote(TEA, chosen=[code]).left_out[0].reason["en"] == "There is no such voucher"
    assert there.enter(code).json()["voucher"] is not None
    assert there.violations() == []


def test_a_code_that_was_never_entered_can_be_chosen_and_is_the_members_with_the_order(shop):
    template = shop.template(per_member=1)
    code, second = shop.codes(template, 2)
    quote = shop.quote(TEA, chosen=[code, code.lower()])
    assert [one.amount for one in quote.applied] == [500]
    assert code not in str(quote.applied), "a code is not repeated"
    assert shop.wallet() == {}
    holds, other = shop.holds(quote), shop.holds(shop.quote(TEA, chosen=[second]))
    shop.tell("reserve", *holds)
    shop.tell("reserve", *holds)
    with pytest.raises(Refused) as refused:
        shop.tell("reserve", *other)
    assert refused.value.code == "limit"
    assert shop.quote(TEA, chosen=[second]).left_out[0].reason["en"] == "you may take 1 of this voucher"
    bobs = shop.quote(TEA, name="bob", chosen=[code])
    assert bobs.left_out[0].reason["en"] == "There is no such voucher"
    shop.tell("release", *holds)
    assert list(shop.wallet().values()) == ["usable"]
    shop.tell("reserve", *holds)
    shop.tell("confirm", *holds)
    assert shop.enter(code).json()["voucher"]["state"] == "used"


def test_codes_count_when_their_template_is_paused_or_ended_until_their_batch_is_void(shop):
    template = shop.template()
    first, second, third = shop.codes(template, 3)
    shop.step(template, "pause")
    assert shop.enter(first).status_code == 200
    shop.step(template, "end")
    assert shop.enter(second, "bob").status_code == 200
    (batch,) = shop.rows("SELECT id FROM vouchers.batch")
    shop.step(str(batch[0]), "void", "batches")
    assert shop.enter(third, "eve").json()["voucher"] is None
    assert shop.quote(TEA, name="eve", chosen=[third]).applied == ()
    assert shop.wallet(name="bob") != {}


def test_a_code_whose_days_are_over_is_refused(shop):
    template = shop.template(validity="dates", first_day="2026-03-01", last_day="2026-03-03")
    code = shop.codes(template, 1)[0]
    shop.day(2)
    assert shop.enter(code).json()["type"] == "urn:threepeat:problem:over"
    assert shop.quote(TEA, chosen=[code]).left_out[0].reason["en"] == "Ended on Mar 3, 2026"


def test_wrong_codes_are_counted_in_rows_and_after_too_many_none_is_looked_at(shop):
    shop.save(wrong_codes_per_hour=3)
    template = shop.template(per_member=None)
    right = shop.codes(template, 4)
    assert shop.enter(right[0]).json()["voucher"], "a right one does not count"
    for _ in range(3):
        assert shop.enter("nonsense").json()["voucher"] is None
    for typed in ("nonsense", right[1]):
        refused = shop.enter(typed)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:threepeat:problem:too-many-codes")
    assert shop.enter(right[1], "bob").json()["voucher"], "it is each member's own count"
    shop.day(0, 13, 1)
    assert shop.enter(right[2]).json()["voucher"]
    assert shop.enter("nonsense").status_code == 200
