UPDATE groupbuy.team SET expires_at = least(expires_at, core.now())
WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND state = 'open'
