-- A debt that meets open lots is paid from them, the earliest to expire first.
WITH waiting AS (
    SELECT l.id, l.remaining, a.debt,
           sum(l.remaining) OVER (ORDER BY l.expires_at NULLS LAST, l.earned_at, l.id) - l.remaining AS before
    FROM points.lot l JOIN points.account a USING (tenant_id, member_id)
    WHERE l.tenant_id = :tenant AND l.member_id = :member
      AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > core.now())
), paid AS (
    SELECT id, least(remaining, debt - before)::bigint AS points FROM waiting WHERE before < debt
), lots AS (
    UPDATE points.lot l SET remaining = l.remaining - p.points FROM paid p
    WHERE l.tenant_id = :tenant AND l.member_id = :member AND l.id = p.id
)
UPDATE points.account SET debt = debt - (SELECT coalesce(sum(points), 0) FROM paid)
WHERE tenant_id = :tenant AND member_id = :member AND debt > 0
