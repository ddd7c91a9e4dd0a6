SELECT (welcomed_at AT TIME ZONE :zone::text)::date AS day, count(*) AS packs FROM welcome.newcomer
WHERE tenant_id = :tenant AND welcomed_at >= :since::timestamptz AND welcomed_at < :until::timestamptz
GROUP BY 1
