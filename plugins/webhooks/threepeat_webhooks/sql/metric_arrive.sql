SELECT count(*) AS sent, count(*) FILTER (WHERE state = 'delivered') AS arrived,
       count(*) FILTER (WHERE state = 'delivered' AND attempts = 1) AS first
FROM webhooks.delivery
WHERE tenant_id = :tenant AND created_at >= :since::timestamptz AND created_at < :until::timestamptz
