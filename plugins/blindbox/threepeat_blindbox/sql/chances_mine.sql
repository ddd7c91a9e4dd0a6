SELECT c.series_id, s.name, count(*) AS chances, min(c.valid_until) AS first_ends FROM blindbox.chance c
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = c.series_id AND s.state = 'on_sale'
WHERE c.tenant_id = :tenant AND c.member_id = :member::bigint AND c.state = 'open' AND c.valid_until > core.now()
GROUP BY c.series_id, s.name ORDER BY min(c.valid_until), c.series_id
