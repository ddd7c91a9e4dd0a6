-- Locks the rows of members in the order of their ids; whoever has none gets one. What was sent on another day or
-- in another week does not count any more.
INSERT INTO messages.allowance AS a (tenant_id, member_id, day, day_sent, week, week_sent)
SELECT :tenant, member_id, :day::date, 0, :week::date, 0
FROM unnest(:members::bigint[]) AS member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET day = excluded.day, day_sent = CASE WHEN a.day = excluded.day THEN a.day_sent ELSE 0 END,
    week = excluded.week, week_sent = CASE WHEN a.week = excluded.week THEN a.week_sent ELSE 0 END
RETURNING member_id, day_sent, week_sent
