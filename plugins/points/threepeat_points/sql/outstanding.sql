-- Lots and redemptions of erased members stand under negative ids: nobody can claim them.
SELECT l.members, l.points,
       (SELECT count(*) FROM points.hold WHERE tenant_id = :tenant AND member_id > 0 AND state = 'held') AS held,
       (SELECT count(*) FROM points.redemption
        WHERE tenant_id = :tenant AND member_id > 0 AND state = 'open') AS open
FROM (
    SELECT count(DISTINCT member_id) AS members, coalesce(sum(remaining), 0)::bigint AS points FROM points.lot
    WHERE tenant_id = :tenant AND member_id > 0 AND remaining > 0 AND (expires_at IS NULL OR expires_at > core.now())
) l
