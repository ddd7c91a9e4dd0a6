-- What was held for paid orders: by the order, else by the buyer's quote. Of a quote that did not become this order's
-- the checkout pays the order back, and it is refused here, too.
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
SELECT DISTINCT ON (for_order, series_id) for_order, reservation, series_id, boxes, money, day, pool, nonce,
       NOT (state = 'held' OR (state = 'paid' AND order_id = for_order)) AS refused
FROM found ORDER BY for_order, series_id, (state = 'paid' AND order_id = for_order) DESC, state = 'held' DESC, reservation
