SELECT number, rules::text AS rules FROM tiers.version
WHERE tenant_id = :tenant AND number = ANY(:numbers::bigint[])
