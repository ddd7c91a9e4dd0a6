-- A shop's clock may be ahead; as on record, nobody refused later than it came in.
INSERT INTO messages.refusal AS r (tenant_id, member_id, purpose, given_at, noted_at)
SELECT :tenant, member_id, purpose, least(max(given_at), core.now()), core.now()
FROM unnest(:members::bigint[], :purposes::text[], :times::timestamptz[]) AS g (member_id, purpose, given_at)
GROUP BY member_id, purpose ORDER BY member_id, purpose
ON CONFLICT (tenant_id, member_id, purpose) DO UPDATE SET given_at = excluded.given_at, noted_at = excluded.noted_at
WHERE excluded.given_at > r.given_at
