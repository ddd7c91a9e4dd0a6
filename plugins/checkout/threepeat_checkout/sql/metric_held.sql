SELECT count(*) AS held, count(*) FILTER (WHERE state = 'confirmed') AS paid FROM checkout.quote
WHERE tenant_id = :tenant AND times > 0 AND quoted_at >= :since::timestamptz AND quoted_at < :until::timestamptz
