-- What the source refused holds for the target from now on.
WITH gone AS (
    DELETE FROM messages.refusal WHERE tenant_id = :tenant AND member_id = :source RETURNING purpose, given_at
)
INSERT INTO messages.refusal AS r (tenant_id, member_id, purpose, given_at, noted_at)
SELECT :tenant, :target, purpose, given_at, core.now() FROM gone ORDER BY purpose
ON CONFLICT (tenant_id, member_id, purpose) DO UPDATE SET given_at = excluded.given_at, noted_at = excluded.noted_at
WHERE excluded.given_at > r.given_at
