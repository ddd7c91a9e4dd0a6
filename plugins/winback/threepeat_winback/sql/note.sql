-- The latest that is known of each member counts, in whatever order it is told.
INSERT INTO winback.activity AS a (tenant_id, member_id, last_at, bought)
SELECT :tenant, member_id, max(last_at), bool_or(bought)
FROM unnest(:members::bigint[], :times::timestamptz[], :bought::boolean[]) AS g (member_id, last_at, bought)
GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET last_at = greatest(a.last_at, excluded.last_at), bought = a.bought OR excluded.bought
WHERE a.last_at < excluded.last_at OR (excluded.bought AND NOT a.bought)
