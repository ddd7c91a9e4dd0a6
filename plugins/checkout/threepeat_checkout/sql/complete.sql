-- A payment that was confirmed by hand learns from its event who paid, and how much; the first event counts.
UPDATE checkout.payment p SET total = g.total, member_id = coalesce(p.member_id, g.member_id)
FROM (
    SELECT DISTINCT ON (order_id) order_id, quote_id, member_id, total
    FROM unnest(:orders::text[], :quotes::text[], :members::bigint[], :totals::bigint[]) WITH ORDINALITY
         AS u (order_id, quote_id, member_id, total, n)
    ORDER BY order_id, n
) AS g
WHERE p.tenant_id = :tenant AND p.order_id = g.order_id AND p.quote_id = g.quote_id AND p.total IS NULL
  AND (p.member_id IS NULL OR p.member_id = g.member_id)
RETURNING p.quote_id, p.outcome
