-- Items whose counters differ from what was redeemed and not cancelled. They are not held to the stock: a merchant
-- may lower it below what was redeemed, and then none can be redeemed.
WITH told AS (
    SELECT item_id, day, member_id, count(*) FILTER (WHERE state <> 'cancelled') AS n
    FROM points.redemption WHERE tenant_id = :tenant GROUP BY item_id, day, member_id
)
SELECT 'item' AS what, i.id AS item_id, i.redeemed, t.n FROM
    (SELECT id, redeemed FROM points.item WHERE tenant_id = :tenant) i
    FULL JOIN (SELECT item_id AS id, sum(n) AS n FROM told GROUP BY 1) t USING (id)
WHERE coalesce(i.redeemed, 0) <> coalesce(t.n, 0)
UNION ALL
SELECT 'day', d.item_id, d.redeemed, t.n FROM
    (SELECT item_id, day, redeemed FROM points.item_day WHERE tenant_id = :tenant) d
    FULL JOIN (SELECT item_id, day, sum(n) AS n FROM told GROUP BY 1, 2) t USING (item_id, day)
WHERE coalesce(d.redeemed, 0) <> coalesce(t.n, 0)
UNION ALL
SELECT 'member', m.item_id, m.redeemed, t.n FROM
    (SELECT item_id, member_id, redeemed FROM points.item_member WHERE tenant_id = :tenant) m
    FULL JOIN (SELECT item_id, member_id, sum(n) AS n FROM told GROUP BY 1, 2) t USING (item_id, member_id)
WHERE coalesce(m.redeemed, 0) <> coalesce(t.n, 0)
