-- Of two days and two weeks the later one counts; what was sent to either on it is added up.
WITH gone AS (
    DELETE FROM messages.allowance WHERE tenant_id = :tenant AND member_id = :source
    RETURNING day, day_sent, week, week_sent
)
INSERT INTO messages.allowance AS a (tenant_id, member_id, day, day_sent, week, week_sent)
SELECT :tenant, :target, day, day_sent, week, week_sent FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET day = greatest(a.day, excluded.day),
    day_sent = CASE WHEN a.day >= excluded.day THEN a.day_sent ELSE 0 END
             + CASE WHEN excluded.day >= a.day THEN excluded.day_sent ELSE 0 END,
    week = greatest(a.week, excluded.week),
    week_sent = CASE WHEN a.week >= excluded.week THEN a.week_sent ELSE 0 END
              + CASE WHEN excluded.week >= a.week THEN excluded.week_sent ELSE 0 END
