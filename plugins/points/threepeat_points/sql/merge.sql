-- Everything of the source's becomes the target's; a pair of entries carries the journal's sum over.
WITH refunds AS (
    UPDATE points.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), lots AS (
    UPDATE points.lot SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gone AS (
    DELETE FROM points.account WHERE tenant_id = :tenant AND member_id = :source RETURNING debt
), joined AS (
    UPDATE points.account a SET debt = a.debt + g.debt FROM gone g
    WHERE a.tenant_id = :tenant AND a.member_id = :target
), carried AS (
    SELECT sum(points)::bigint AS points FROM points.entry WHERE tenant_id = :tenant AND member_id = :source
)
INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at)
SELECT :tenant, side.member_id, 'merge:' || :source::bigint || side.name, 'merged', side.sign * c.points, core.now()
FROM carried c, (VALUES (:source::bigint, ':out', -1), (:target::bigint, ':in', 1)) AS side (member_id, name, sign)
WHERE c.points <> 0
