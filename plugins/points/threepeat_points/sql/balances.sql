-- What members can spend now; a lot that has expired or still waits counts for nothing.
SELECT l.member_id, greatest(sum(l.remaining) - coalesce(max(a.debt), 0), 0)::bigint AS available
FROM points.lot l LEFT JOIN points.account a USING (tenant_id, member_id)
WHERE l.tenant_id = :tenant AND l.member_id = ANY(:members::bigint[])
  AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > core.now())
  AND (NOT l.waiting OR l.unlocks_at <= core.now())
GROUP BY l.member_id
