-- Check-ins of each stretch of days, and what those who made them bought in it. `known` is whether the tactic's
-- first check-in lies no later than the stretch's beginning.
WITH stretches AS (
    SELECT * FROM unnest(:firsts::date[], :lasts::date[]) WITH ORDINALITY AS s (first, last, n)
), checkers AS (
    SELECT s.n, c.member_id, count(*) AS check_ins FROM stretches s
    JOIN checkin.check_in c ON c.tenant_id = :tenant AND c.make_up_month IS NULL AND c.day BETWEEN s.first AND s.last
    GROUP BY s.n, c.member_id
), bought AS (
    SELECT k.n, k.member_id, k.check_ins, (
        SELECT count(*) FROM checkin.purchase p
        WHERE p.tenant_id = :tenant AND p.member_id = k.member_id AND p.day BETWEEN s.first AND s.last
    ) AS orders
    FROM checkers k JOIN stretches s USING (n)
)
SELECT s.n, coalesce(sum(b.check_ins), 0)::bigint AS check_ins, count(b.member_id) AS members,
       coalesce(sum(b.orders), 0)::bigint AS orders, count(*) FILTER (WHERE b.orders > 0) AS buyers,
       coalesce((SELECT min(day) FROM checkin.check_in WHERE tenant_id = :tenant) <= s.first, false) AS known
FROM stretches s LEFT JOIN bought b USING (n)
GROUP BY s.n, s.first ORDER BY s.n
