-- One of an item that is still as it was read, if there is one left of it, on this day and for this member: three
-- counters, each by a conditional write. Which of them says no is told by what is missing in the answer.
WITH item AS (
    UPDATE points.item SET redeemed = redeemed + 1
    WHERE tenant_id = :tenant AND id = :item::bigint AND revision = :revision::bigint
      AND (stock IS NULL OR redeemed + 1 <= stock)
    RETURNING id, per_day, per_member
), day AS (
    INSERT INTO points.item_day AS d (tenant_id, item_id, day, redeemed)
    SELECT :tenant, id, :day::date, 1 FROM item
    ON CONFLICT (tenant_id, item_id, day) DO UPDATE SET redeemed = d.redeemed + 1
    WHERE d.redeemed + 1 <= coalesce((SELECT per_day FROM item), d.redeemed + 1)
    RETURNING item_id
), member AS (
    INSERT INTO points.item_member AS m (tenant_id, item_id, member_id, redeemed)
    SELECT :tenant, id, :member::bigint, 1 FROM item
    ON CONFLICT (tenant_id, member_id, item_id) DO UPDATE SET redeemed = m.redeemed + 1
    WHERE m.redeemed + 1 <= coalesce((SELECT per_member FROM item), m.redeemed + 1)
    RETURNING item_id
)
SELECT (SELECT count(*) FROM item) AS item, (SELECT count(*) FROM day) AS day, (SELECT count(*) FROM member) AS member
