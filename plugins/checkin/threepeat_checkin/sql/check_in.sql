-- A check-in, and all that its answer needs. The key decides: one a day for each member. Around the day: how many
-- days in a row stand before it, which steps that run gave, and what the day itself brought already.
WITH fresh AS (
    INSERT INTO checkin.check_in (tenant_id, member_id, day, checked_at)
    VALUES (:tenant, :member, :day::date, core.now())
    ON CONFLICT DO NOTHING
    RETURNING day
), past AS (
    SELECT day, row_number() OVER (ORDER BY day DESC)::int AS n FROM checkin.check_in
    WHERE tenant_id = :tenant AND member_id = :member AND day < :day::date
), run AS (
    SELECT count(*)::int AS before FROM past WHERE day = :day::date - n
), rewards AS (
    SELECT day, step, kind, amount, item, state FROM checkin.reward, run
    WHERE tenant_id = :tenant AND member_id = :member AND day BETWEEN :day::date - before AND :day::date
), given AS (
    SELECT step, count(*) AS times FROM rewards WHERE step > 0 AND state IN ('granted', 'duplicate') GROUP BY step
)
SELECT EXISTS (SELECT FROM fresh) AS fresh, before, 0 AS after,
       (SELECT coalesce(jsonb_object_agg(step, times), '{}') FROM given) AS given,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(step, kind, amount, item, state) ORDER BY step), '[]')
        FROM rewards WHERE day = :day::date) AS rewards
FROM run
