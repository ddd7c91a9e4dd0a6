-- What was bought with products that came back.
UPDATE tiers.floor f SET state = 'withdrawn', revision = f.revision + 1, changed_at = core.now()
FROM unnest(:orders::text[], :levels::bigint[]) AS g (order_id, level)
WHERE f.tenant_id = :tenant AND f.order_id = g.order_id AND f.level = g.level AND f.source = 'paid'
  AND f.state = 'open'
RETURNING f.member_id, f.level, f.until, f.days
