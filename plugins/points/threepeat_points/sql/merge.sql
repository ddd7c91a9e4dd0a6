-- Everything of the source's becomes the target's; a pair of entries carries the journal's accounts over.
WITH refunds AS (
    UPDATE points.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), completions AS (
    DELETE FROM points.completion WHERE tenant_id = :tenant AND member_id = :source RETURNING order_id, completed_at
), completed AS (
    INSERT INTO points.completion (tenant_id, order_id, member_id, completed_at)
    SELECT :tenant, order_id, :target::bigint, completed_at FROM completions ORDER BY order_id
    ON CONFLICT DO NOTHING
), holds AS (
    UPDATE points.hold SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), redemptions AS (
    UPDATE points.redemption SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), tallies AS (
    DELETE FROM points.tally WHERE tenant_id = :tenant AND member_id = :source RETURNING day, event, times
), tallied AS (
    INSERT INTO points.tally AS t (tenant_id, member_id, day, event, times)
    SELECT :tenant, :target::bigint, day, event, times FROM tallies ORDER BY day, event
    ON CONFLICT (tenant_id, member_id, day, event) DO UPDATE SET times = t.times + excluded.times
), counts AS (
    DELETE FROM points.item_member WHERE tenant_id = :tenant AND member_id = :source RETURNING item_id, redeemed
), counted AS (
    INSERT INTO points.item_member AS m (tenant_id, member_id, item_id, redeemed)
    SELECT :tenant, :target::bigint, item_id, redeemed FROM counts ORDER BY item_id
    ON CONFLICT (tenant_id, member_id, item_id) DO UPDATE SET redeemed = m.redeemed + excluded.redeemed
), lots AS (
    UPDATE points.lot SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gone AS (
    DELETE FROM points.account WHERE tenant_id = :tenant AND member_id = :source RETURNING debt
), joined AS (
    UPDATE points.account a SET debt = a.debt + g.debt FROM gone g
    WHERE a.tenant_id = :tenant AND a.member_id = :target
), carried AS (
    SELECT sum(points)::bigint AS points, sum(available)::bigint AS available, sum(pending)::bigint AS pending,
           sum(debt)::bigint AS debt, sum(liability)::bigint AS liability, sum(expense)::bigint AS expense,
           sum(breakage)::bigint AS breakage
    FROM points.entry WHERE tenant_id = :tenant AND member_id = :source
)
INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending, debt,
                          liability, expense, breakage)
SELECT :tenant, side.member_id, 'merge:' || :source::bigint || side.name, 'merged', side.sign * c.points, core.now(),
       side.sign * c.available, side.sign * c.pending, side.sign * c.debt, side.sign * c.liability,
       side.sign * c.expense, side.sign * c.breakage
FROM carried c, (VALUES (:source::bigint, ':out', -1), (:target::bigint, ':in', 1)) AS side (member_id, name, sign)
WHERE c.available <> 0 OR c.pending <> 0 OR c.debt <> 0 OR c.liability <> 0 OR c.breakage <> 0
