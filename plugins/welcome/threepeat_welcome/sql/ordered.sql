-- The first and the second order of newcomers, each order counted once. Returned are the second orders that came in
-- time for what was promised.
WITH given AS (
    SELECT DISTINCT ON (member_id, order_id) * FROM unnest(:members::bigint[], :orders::text[], :times::timestamptz[])
        WITH ORDINALITY AS g (member_id, order_id, paid_at, n)
    ORDER BY member_id, order_id, n
), fresh AS (
    SELECT g.*, row_number() OVER (PARTITION BY g.member_id ORDER BY g.n) + (c.first_order_id IS NOT NULL)::int AS place
    FROM given g JOIN welcome.newcomer c ON c.tenant_id = :tenant AND c.member_id = g.member_id
    WHERE c.second_order_id IS NULL AND g.order_id IS DISTINCT FROM c.first_order_id
), steps AS (
    SELECT member_id,
           min(order_id) FILTER (WHERE place = 1) AS first_id, min(paid_at) FILTER (WHERE place = 1) AS first_at,
           min(order_id) FILTER (WHERE place = 2) AS second_id, min(paid_at) FILTER (WHERE place = 2) AS second_at
    FROM fresh GROUP BY member_id
), moved AS (
    UPDATE welcome.newcomer c
    SET first_order_id = coalesce(c.first_order_id, s.first_id), first_order_at = coalesce(c.first_order_at, s.first_at),
        second_order_id = s.second_id, second_order_at = s.second_at
    FROM steps s WHERE c.tenant_id = :tenant AND c.member_id = s.member_id
    RETURNING c.member_id, c.second_kind, c.second_amount, c.second_item, c.second_until, c.second_order_id,
              c.second_order_at
)
SELECT member_id, second_kind, second_amount, second_item, second_order_id FROM moved
WHERE second_order_id IS NOT NULL AND second_order_at <= second_until
ORDER BY member_id
