-- One lot for each grant of another tactic; it has no order, so no order's money speaks of it, and it never waits.
WITH given AS (
    SELECT * FROM unnest(:keys::text[], :members::bigint[], :amounts::bigint[], :references::text[])
        WITH ORDINALITY AS g (reward_key, member_id, points, reference, n)
), lots AS (
    INSERT INTO points.lot (tenant_id, member_id, reward_key, order_total, order_refunded, minor_units, rate, granted,
                            reversed, remaining, earned_at, expires_at)
    SELECT :tenant, member_id, reward_key, 0, 0, 1, 0, points, 0, points, core.now(), :expires_at::timestamptz
    FROM given ORDER BY n
    RETURNING id, member_id, granted, earned_at
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, expense)
    SELECT :tenant, member_id, reference, 'granted', points, core.now(), points, -points FROM given ORDER BY n
)
SELECT id, member_id, granted, earned_at FROM lots ORDER BY id
