-- Groups whose time is over, locked: complete, failed, or open for as long as seats may be paid that were held when it
-- was over. By then, not by now: after an outage the payment of such a seat may be unread.
WITH over AS (
    SELECT t.id, t.joined, t.least, (
        SELECT max(s.until) FROM groupbuy.seat s
        WHERE s.tenant_id = :tenant AND s.team_id = t.id AND s.state = 'held' AND s.until > g.due
    ) AS waits, t.joined >= least(t.least, coalesce(t.fill, t.least)) AS enough
    FROM unnest(:ids::bigint[], :dues::timestamptz[]) AS g (id, due)
    JOIN groupbuy.team t ON t.tenant_id = :tenant AND t.id = g.id
    WHERE t.state = 'open' AND t.expires_at <= core.now()
), ended AS (
    UPDATE groupbuy.team t
    SET state = CASE WHEN o.enough THEN 'succeeded' ELSE 'failed' END,
        why = CASE WHEN o.enough THEN '' ELSE 'expired' END,
        virtual = CASE WHEN o.enough THEN greatest(o.least - o.joined, 0) ELSE 0 END, done_at = core.now()
    FROM over o WHERE t.tenant_id = :tenant AND t.id = o.id AND o.waits IS NULL
    RETURNING t.id, t.state
)
SELECT id, state, NULL::timestamptz AS waits FROM ended
UNION ALL SELECT id, 'open', waits FROM over WHERE waits IS NOT NULL
ORDER BY id
