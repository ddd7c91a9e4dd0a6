-- A debt that meets lots is paid from them, the earliest to expire first, those that wait too.
WITH ahead AS (
    SELECT l.id, l.remaining, l.waiting, a.debt,
           sum(l.remaining) OVER (ORDER BY l.expires_at NULLS LAST, l.earned_at, l.id) - l.remaining AS before
    FROM points.lot l JOIN points.account a USING (tenant_id, member_id)
    WHERE l.tenant_id = :tenant AND l.member_id = :member
      AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > core.now())
), paid AS (
    SELECT id, waiting, least(remaining, debt - before)::bigint AS points FROM ahead WHERE before < debt
), lots AS (
    UPDATE points.lot l SET remaining = l.remaining - p.points FROM paid p
    WHERE l.tenant_id = :tenant AND l.member_id = :member AND l.id = p.id
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending, debt)
    SELECT :tenant, :member::bigint, 'settle:' || id || ':merge:' || :source::bigint, 'settled', 0, core.now(),
           CASE WHEN waiting THEN 0 ELSE -points END, CASE WHEN waiting THEN -points ELSE 0 END, points
    FROM paid ORDER BY id
)
UPDATE points.account SET debt = debt - (SELECT coalesce(sum(points), 0) FROM paid)
WHERE tenant_id = :tenant AND member_id = :member AND debt > 0
