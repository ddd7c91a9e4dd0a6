-- What members have that expires at an instant, in the order of their ids.
SELECT member_id, sum(remaining)::bigint AS points FROM points.lot
WHERE tenant_id = :tenant AND expires_at = :at::timestamptz AND member_id > :after::bigint
  AND remaining > 0 AND NOT waiting
GROUP BY member_id ORDER BY member_id LIMIT :most::bigint
