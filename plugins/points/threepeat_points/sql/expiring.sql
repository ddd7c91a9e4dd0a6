-- What members can spend that expires at an instant, in the order of their ids; whoever waited long enough can, whether
-- or not it was written down.
SELECT member_id, sum(remaining)::bigint AS points FROM points.lot
WHERE tenant_id = :tenant AND expires_at = :at::timestamptz AND member_id > :after::bigint
  AND remaining > 0 AND (NOT waiting OR unlocks_at <= :now::timestamptz)
GROUP BY member_id ORDER BY member_id LIMIT :most::bigint
