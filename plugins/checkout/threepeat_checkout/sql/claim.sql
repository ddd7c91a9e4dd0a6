-- Which orders are paid for the first time. The order's key decides.
INSERT INTO checkout.payment (tenant_id, order_id, quote_id, member_id, outcome, total, paid_at)
SELECT :tenant, order_id, quote_id, member_id, 'claimed', total, paid_at
FROM unnest(:orders::text[], :quotes::text[], :members::bigint[], :totals::bigint[], :times::timestamptz[])
     AS g (order_id, quote_id, member_id, total, paid_at)
ORDER BY order_id
ON CONFLICT (tenant_id, order_id) DO NOTHING
RETURNING order_id
