-- A missed day that is made up for, if the member had checked in before it. The month's row is the limit: where it
-- does not change, too many were made up for. The rest is as in check_in.sql, with the days after it, too.
WITH past AS (
    SELECT day, row_number() OVER (ORDER BY day DESC)::int AS n FROM checkin.check_in
    WHERE tenant_id = :tenant AND member_id = :member AND day < :day::date
), future AS (
    SELECT day, row_number() OVER (ORDER BY day)::int AS n FROM checkin.check_in
    WHERE tenant_id = :tenant AND member_id = :member AND day > :day::date
), fresh AS (
    INSERT INTO checkin.check_in (tenant_id, member_id, day, checked_at, make_up_month)
    SELECT :tenant, :member, :day::date, core.now(), :month::date WHERE EXISTS (SELECT FROM past)
    ON CONFLICT DO NOTHING
    RETURNING day
), used AS (
    INSERT INTO checkin.make_up AS m (tenant_id, member_id, month, used)
    SELECT :tenant, :member, :month::date, 1 FROM fresh
    ON CONFLICT (tenant_id, member_id, month) DO UPDATE SET used = m.used + 1 WHERE m.used < :most::bigint
    RETURNING used
), run AS (
    SELECT (SELECT count(*) FROM past WHERE day = :day::date - n)::int AS before,
           (SELECT count(*) FROM future WHERE day = :day::date + n)::int AS after
), rewards AS (
    SELECT day, step, kind, amount, item, state FROM checkin.reward, run
    WHERE tenant_id = :tenant AND member_id = :member
      AND day BETWEEN :day::date - before AND :day::date + after
), given AS (
    SELECT step, count(*) AS times FROM rewards WHERE step > 0 AND state IN ('granted', 'duplicate') GROUP BY step
)
SELECT EXISTS (SELECT FROM fresh) AS fresh, EXISTS (SELECT FROM used) AS within, EXISTS (SELECT FROM past) AS begun,
       EXISTS (SELECT FROM checkin.check_in
               WHERE tenant_id = :tenant AND member_id = :member AND day = :day::date) AS there,
       before, after,
       (SELECT coalesce(jsonb_object_agg(step, times), '{}') FROM given) AS given,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(step, kind, amount, item, state) ORDER BY step), '[]')
        FROM rewards WHERE day = :day::date) AS rewards
FROM run
