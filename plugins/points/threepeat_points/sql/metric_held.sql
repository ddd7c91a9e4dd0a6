-- Lots of erased members stand under negative ids: nobody can claim them.
SELECT coalesce(sum(remaining), 0)::bigint AS points FROM points.lot
WHERE tenant_id = :tenant AND member_id > 0 AND remaining > 0 AND (expires_at IS NULL OR expires_at > core.now())
