SELECT t.id, c.name, t.state, t.why, t.size, t.least, t.virtual, t.taken, t.joined, t.joins, t.pickup, t.slot,
       t.opened_at, t.expires_at, t.done_at
FROM groupbuy.team t JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = t.campaign_id
WHERE t.tenant_id = :tenant AND t.id = :id::bigint
