-- What members did of value in the next stretch of the log, which is read backwards.
SELECT member_id, max(occurred_at) AS last_at, bool_or(type = :order::text) AS bought FROM core.event
WHERE tenant_id = :tenant AND member_id IS NOT NULL AND type = ANY(:kinds::text[])
  AND position <= (SELECT position FROM winback.progress WHERE tenant_id = :tenant)
  AND position > (SELECT position - :most::bigint FROM winback.progress WHERE tenant_id = :tenant)
GROUP BY member_id
