"""Export and erasure come from the catalogue, without this plugin's code; the sums stay."""

import orjson

TABLES = ("newcomer", "gift", "refund")
CANARY = "canary-7f3a"


def test_an_export_holds_every_row_and_after_an_erasure_no_text_is_left(shop, client, make_key):
    shop.save(trigger="first_order", rewards=[{"kind": "points", "amount": 40}])
    for name in (CANARY, "bob"):
        shop.paid(name, f"{name}-1")
        shop.paid(name, f"{name}-2")
        shop.refunded(name, f"{name}-r", 5_000, f"{name}-2")
    before = [shop.rows(f"SELECT count(*) FROM welcome.{table}")[0] for table in TABLES]
    headers = {"authorization": f"Bearer {make_key(shop.store, 'manage')}"}
    export = client.get(f"/v1/members/{CANARY}/export", headers=headers)
    assert export.status_code == 200, export.text
    found = orjson.dumps(export.json()).decode()
    assert all(f"welcome.{table}" in found for table in TABLES)
    assert {f"{CANARY}-{what}" in found for what in ("1", "2", "r")} == {True}
    assert "bob-1" not in found
    assert client.delete(f"/v1/members/{CANARY}", headers=headers).status_code == 202
    shop.later(minutes=1)
    assert before == [shop.rows(f"SELECT count(*) FROM welcome.{table}")[0] for table in TABLES]
    for table in TABLES:
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM welcome.{table} t")]
        assert [one for one in texts if CANARY in one] == []
        assert any("bob" in one or table == "newcomer" for one in texts)
    assert shop.points("bob") == 40 + 25
    assert shop.switch("welcome", on=False).state == "off", "nothing is owed to who is gone"
