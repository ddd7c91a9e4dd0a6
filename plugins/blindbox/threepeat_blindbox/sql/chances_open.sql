SELECT c.member_id, count(*) AS chances FROM blindbox.chance c
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = c.series_id AND s.state = 'on_sale'
WHERE c.tenant_id = :tenant AND c.member_id = ANY(:members::bigint[]) AND c.state = 'open'
  AND c.valid_until > core.now()
GROUP BY c.member_id
