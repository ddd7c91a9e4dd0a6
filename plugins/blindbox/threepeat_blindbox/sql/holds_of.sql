-- What was held for paid orders, by the SKU of its series: by the order, else by the buyer's quote. Of a quote that did
-- not become this order's the checkout pays the order back, and it is refused here, too.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :reservations::text[]) AS g (order_id, member_id, quote)
), found AS (
    SELECT g.order_id AS for_order, h.* FROM given g
    JOIN blindbox.hold h ON h.tenant_id = :tenant AND h.order_id = g.order_id AND h.state = 'paid'
    UNION ALL
    SELECT g.order_id AS for_order, h.* FROM given g
    JOIN blindbox.hold h ON h.tenant_id = :tenant AND h.member_id = g.member_id
      AND (h.reservation = g.quote OR starts_with(h.reservation, g.quote || '.'))
    WHERE h.order_id IS DISTINCT FROM g.order_id
)
SELECT DISTINCT ON (f.for_order, s.sku) f.for_order, s.sku, f.reservation, f.series_id, f.boxes, f.money, f.day, f.pool,
       f.nonce, NOT (f.state = 'held' OR (f.state = 'paid' AND f.order_id = f.for_order)) AS refused
FROM found f JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = f.series_id
ORDER BY f.for_order, s.sku, (f.state = 'paid' AND f.order_id = f.for_order) DESC, f.state = 'held' DESC, f.reservation
