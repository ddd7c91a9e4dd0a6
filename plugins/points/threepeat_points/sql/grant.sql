-- One lot per order. The order's key decides: an order that has a lot earns no second one. Refunds that
-- came before their order are taken off at once. Only orders that are multiplied have a factor. A room says
-- how much the member's orders of a day may still earn together; null is no limit.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :totals::bigint[], :times::timestamptz[],
                         :expiries::timestamptz[], :unlocks::timestamptz[], :days::date[], :rooms::bigint[])
        WITH ORDINALITY AS g (order_id, member_id, total, earned_at, expires_at, unlocks_at, day, room, n)
), factors AS (
    SELECT * FROM unnest(:multiplied::text[], :numerators::bigint[], :denominators::bigint[], :bonus_days::bigint[])
        AS f (order_id, numerator, denominator, bonus_day_id)
), early AS (
    SELECT order_id, member_id, sum(amount)::bigint AS amount FROM points.refund
    WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) GROUP BY order_id, member_id
), net AS (
    SELECT g.*, coalesce(e.amount, 0) AS refunded, f.bonus_day_id,
           coalesce(f.numerator, 1) AS numerator, coalesce(f.denominator, 1) AS denominator,
           greatest(g.total - coalesce(e.amount, 0), 0) / :minor_units::bigint * :rate::bigint AS base
    FROM given g LEFT JOIN early e USING (order_id, member_id) LEFT JOIN factors f USING (order_id)
), earned AS (
    -- Rounded down once, here as for every refund; a product of two bigint may be none.
    SELECT n.*, least(:most::bigint, CASE WHEN numerator = denominator THEN base
                                          ELSE div(base::numeric * numerator, denominator)::bigint END) AS points
    FROM net n
), capped AS (
    SELECT e.*, CASE WHEN room IS NULL THEN points
                     ELSE greatest(least(upto, room) - least(upto - points, room), 0)::bigint END AS gets
    FROM (SELECT e.*, CASE WHEN room IS NULL THEN 0
                           ELSE sum(points) OVER (PARTITION BY member_id, day ORDER BY n) END AS upto
          FROM earned e) e
), fresh AS (
    INSERT INTO points.lot (tenant_id, member_id, order_id, order_total, order_refunded, minor_units, rate, granted,
                            reversed, remaining, earned_at, expires_at, factor_numerator, factor_denominator,
                            bonus_day_id, waiting, unlocks_at)
    SELECT :tenant, member_id, order_id, total, refunded, :minor_units::bigint, :rate::bigint, gets,
           0, gets, earned_at, expires_at, numerator, denominator, bonus_day_id, :waiting::boolean, unlocks_at
    FROM capped ORDER BY n
    ON CONFLICT (tenant_id, order_id) DO NOTHING
    RETURNING id, member_id, order_id, granted, earned_at, waiting
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending, expense)
    SELECT :tenant, member_id, 'order:' || order_id, 'earned', granted, earned_at,
           CASE WHEN waiting THEN 0 ELSE granted END, CASE WHEN waiting THEN granted ELSE 0 END, -granted
    FROM fresh WHERE granted > 0 ORDER BY id
)
SELECT id, member_id, order_id, granted, earned_at, waiting FROM fresh ORDER BY id
