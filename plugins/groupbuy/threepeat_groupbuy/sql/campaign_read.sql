-- One campaign, with what became of its groups.
SELECT c.id, c.name, c.form, c.state, c.revision, c.changed_at, t.open, t.succeeded, t.failed, t.seats
FROM groupbuy.campaign c
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE state = 'failed') AS failed, coalesce(sum(joined), 0)::bigint AS seats
    FROM groupbuy.team WHERE tenant_id = :tenant AND campaign_id = c.id
) t
WHERE c.tenant_id = :tenant AND c.id = :id::bigint
