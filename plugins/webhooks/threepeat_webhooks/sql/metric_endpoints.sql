SELECT n.name, count(d.id) AS sent, count(d.id) FILTER (WHERE d.state = 'delivered') AS arrived,
       count(d.id) FILTER (WHERE d.state = 'queued') AS waiting,
       count(d.id) FILTER (WHERE d.state IN ('failed', 'stopped')) AS lost,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.changed_at - d.created_at)::bigint)
           FILTER (WHERE d.state = 'delivered') AS seconds
FROM webhooks.endpoint n
LEFT JOIN webhooks.delivery d ON d.tenant_id = :tenant AND d.endpoint_id = n.id
  AND d.created_at >= :since::timestamptz AND d.created_at < :until::timestamptz
WHERE n.tenant_id = :tenant
GROUP BY n.id, n.name HAVING bool_or(n.state = 'active') OR count(d.id) > 0
ORDER BY n.id
