-- One more try in the hour that the first began. Where the row does not change, there were enough.
INSERT INTO vouchers.guess AS g (tenant_id, member_id, since, tries)
VALUES (:tenant, :member::bigint, core.now(), 1)
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    since = CASE WHEN g.since <= excluded.since - interval '1 hour' THEN excluded.since ELSE g.since END,
    tries = CASE WHEN g.since <= excluded.since - interval '1 hour' THEN 1 ELSE g.tries + 1 END
WHERE g.since <= excluded.since - interval '1 hour' OR g.tries < :most::bigint
RETURNING tries
