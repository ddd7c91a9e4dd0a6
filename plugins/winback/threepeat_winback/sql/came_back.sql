-- Orders that fall into an open offer: an order brings one reward, an offer is brought by one order.
WITH given AS (
    SELECT DISTINCT ON (order_id) * FROM unnest(:members::bigint[], :orders::text[], :totals::bigint[],
                                               :times::timestamptz[])
        WITH ORDINALITY AS g (member_id, order_id, total, paid_at, n)
    ORDER BY order_id, n
), meant AS (
    SELECT DISTINCT ON (g.member_id) o.id, g.order_id, g.total, g.paid_at
    FROM given g JOIN winback.offer o
      ON o.tenant_id = :tenant AND o.member_id = g.member_id AND o.state = 'open'
     AND g.paid_at BETWEEN o.offered_at AND o.until
    WHERE NOT EXISTS (SELECT FROM winback.offer x WHERE x.tenant_id = :tenant AND x.order_id = g.order_id)
    ORDER BY g.member_id, g.n, o.id
)
UPDATE winback.offer o SET state = 'owed', order_id = m.order_id, order_total = m.total, paid_at = m.paid_at
FROM meant m WHERE o.tenant_id = :tenant AND o.id = m.id AND o.state = 'open'
RETURNING o.id, o.member_id, o.kind, o.amount, o.item, o.order_id, o.order_total, o.paid_at, o.slept_since
