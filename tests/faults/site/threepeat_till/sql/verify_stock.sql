SELECT s.item, s.filled, s."left", p.sold FROM till.stock s
CROSS JOIN (SELECT count(*) AS sold FROM till.payment WHERE tenant_id = :tenant) p
WHERE s.tenant_id = :tenant AND (s."left" < 0 OR s."left" <> s.filled - p.sold)
