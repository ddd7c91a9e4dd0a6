-- What was bought with orders of which nothing is left, or by products that came back.
UPDATE tiers.floor f SET state = 'withdrawn', revision = f.revision + 1, changed_at = core.now()
FROM tiers.paid_order o
WHERE f.tenant_id = :tenant AND f.order_id = ANY(:orders::text[]) AND f.source = 'paid' AND f.state = 'open'
  AND o.tenant_id = :tenant AND o.order_id = f.order_id
  AND (o.refunded > 0 AND o.refunded >= o.total
       OR EXISTS (SELECT FROM tiers.refund r
                  WHERE r.tenant_id = :tenant AND r.order_id = f.order_id AND r.skus && f.skus))
RETURNING f.order_id, f.member_id, f.level, f.until, f.days
