-- A redemption that is cancelled counts no more. The item comes first, as when one is taken.
WITH item AS (
    UPDATE points.item SET redeemed = redeemed - 1
    WHERE tenant_id = :tenant AND id = :item::bigint
    RETURNING id
), day AS (
    UPDATE points.item_day d SET redeemed = d.redeemed - 1 FROM item
    WHERE d.tenant_id = :tenant AND d.item_id = item.id AND d.day = :day::date
)
UPDATE points.item_member m SET redeemed = m.redeemed - 1 FROM item
WHERE m.tenant_id = :tenant AND m.item_id = item.id AND m.member_id = :member::bigint
