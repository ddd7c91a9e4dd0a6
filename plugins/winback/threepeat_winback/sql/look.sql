UPDATE winback.activity SET looked_at = core.now()
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
