-- A lot that has expired counts for nothing, whether or not anybody has written that down.
WITH owed AS (
    SELECT coalesce((SELECT debt FROM points.account WHERE tenant_id = :tenant AND member_id = :member), 0) AS debt
), held AS (
    SELECT coalesce(sum(remaining) FILTER (WHERE expires_at IS NULL OR expires_at > core.now()), 0)::bigint AS points,
           min(expires_at) FILTER (WHERE remaining > 0 AND expires_at > core.now()) AS next_expiry
    FROM points.lot WHERE tenant_id = :tenant AND member_id = :member
)
SELECT greatest(points - debt, 0) AS available, debt, next_expiry FROM owed, held
