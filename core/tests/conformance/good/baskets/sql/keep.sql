-- An order that is known already keeps the lines that it came with.
WITH kept AS (
    INSERT INTO baskets.basket (tenant_id, order_id, member_id)
    SELECT :tenant, order_id, member_id FROM unnest(:orders::text[], :members::bigint[]) AS g (order_id, member_id)
    ON CONFLICT (tenant_id, order_id) DO NOTHING
    RETURNING order_id, member_id
)
INSERT INTO baskets.article (tenant_id, order_id, place, member_id, sku)
SELECT :tenant, k.order_id, l.place, k.member_id, l.sku
FROM unnest(:of::text[], :places::bigint[], :skus::text[]) AS l (order_id, place, sku)
JOIN kept k ON k.order_id = l.order_id
