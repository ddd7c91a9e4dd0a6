-- When points expire after an instant, until another.
SELECT DISTINCT expires_at FROM points.lot
WHERE tenant_id = :tenant AND remaining > 0 AND expires_at > :since::timestamptz AND expires_at <= :until::timestamptz
ORDER BY 1
