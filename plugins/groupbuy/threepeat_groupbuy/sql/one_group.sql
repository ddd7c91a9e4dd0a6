-- A group, and whether the member has a seat in it or an open one in its campaign.
SELECT t.id, t.campaign_id, c.name, c.sku, c.form, t.price, t.state, t.size, t.least, t.taken, t.joined, t.expires_at,
       t.pickup, t.slot, (c.form ->> 'new_only')::boolean AS new_only, coalesce(m.mine, false) AS mine,
       coalesce(m.busy, false) AS busy
FROM groupbuy.team t JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = t.campaign_id
CROSS JOIN LATERAL (
    SELECT bool_or(s.team_id = t.id AND s.state NOT IN ('released', 'left')) AS mine,
           bool_or(s.state IN ('held', 'joined') AND NOT s.merged) AS busy
    FROM groupbuy.seat s
    WHERE s.tenant_id = :tenant AND s.member_id = :member::bigint AND s.campaign_id = t.campaign_id
) m
WHERE t.tenant_id = :tenant AND t.id = :group::bigint
