"""Export and erasure come from the catalogue, without this plugin's code; the sums stay."""

import orjson

TABLES = ("activity", "offer", "refund")
CANARY = "canary-7f3a"


def test_an_export_holds_every_row_and_after_an_erasure_no_text_is_left(shop, client, make_key):
    names = (CANARY, "bob")
    shop.batch(*(shop.order(name, f"{name}-1", 0) for name in names))
    shop.at(31)
    for name in names:
        shop.paid(name, f"{name}-2", 33)
        shop.refunded(name, f"{name}-r", 5_000, f"{name}-2", 34)
    before = [shop.rows(f"SELECT count(*) FROM winback.{table}")[0] for table in TABLES]
    headers = {"authorization": f"Bearer {make_key(shop.store, 'manage')}"}
    export = client.get(f"/v1/members/{CANARY}/export", headers=headers)
    assert export.status_code == 200, export.text
    found = orjson.dumps(export.json()).decode()
    assert all(f"winback.{table}" in found for table in TABLES)
    assert {f"{CANARY}-{what}" in found for what in ("2", "r")} == {True}
    assert "bob-2" not in found
    assert client.delete(f"/v1/members/{CANARY}", headers=headers).status_code == 202
    shop.at(35)
    assert before == [shop.rows(f"SELECT count(*) FROM winback.{table}")[0] for table in TABLES]
    ids = [member for (member,) in shop.rows("SELECT member_id FROM winback.activity ORDER BY 1")]
    assert ids[0] < 0 < ids[1]
    for table in TABLES:
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM winback.{table} t")]
        assert [one for one in texts if CANARY in one] == []
    assert shop.points("bob") == 25
    assert shop.faults() == []
    assert shop.metric("journey", days=30).steps[0][1] == 2, "the sums stay"
