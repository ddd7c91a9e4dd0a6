SELECT (changed_at AT TIME ZONE :zone::text)::date AS day, count(*) FILTER (WHERE to_level > from_level) AS up,
       count(*) FILTER (WHERE to_level < from_level) AS down
FROM tiers.change
WHERE tenant_id = :tenant AND changed_at >= :since::timestamptz AND changed_at < :until::timestamptz AND NOT merged
  AND reason <> 'merged'
GROUP BY 1
