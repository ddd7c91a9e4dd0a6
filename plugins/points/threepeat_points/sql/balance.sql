-- What is so now, whether or not anybody has written down what waited long enough and what has expired.
WITH owed AS (
    SELECT coalesce((SELECT debt FROM points.account WHERE tenant_id = :tenant AND member_id = :member), 0) AS debt
), held AS (
    SELECT coalesce(sum(remaining) FILTER (WHERE NOT waits), 0)::bigint AS points,
           coalesce(sum(remaining) FILTER (WHERE waits), 0)::bigint AS pending,
           min(expires_at) FILTER (WHERE NOT waits) AS next_expiry,
           min(unlocks_at) FILTER (WHERE waits) AS next_unlock
    FROM (
        SELECT remaining, expires_at, unlocks_at,
               waiting AND (unlocks_at IS NULL OR unlocks_at > core.now()) AS waits
        FROM points.lot
        WHERE tenant_id = :tenant AND member_id = :member
          AND remaining > 0 AND (expires_at IS NULL OR expires_at > core.now())
    ) l
)
SELECT greatest(points - debt, 0) AS available, debt, pending, next_expiry, next_unlock FROM owed, held
