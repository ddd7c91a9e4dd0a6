SELECT count(DISTINCT member_id) AS members, coalesce(sum(remaining), 0)::bigint AS points FROM points.lot
WHERE tenant_id = :tenant AND remaining > 0 AND (expires_at IS NULL OR expires_at > core.now())
