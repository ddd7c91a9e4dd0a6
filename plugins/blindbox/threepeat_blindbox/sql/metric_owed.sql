SELECT coalesce(sum(amount - back), 0)::bigint AS amount, count(*) FILTER (WHERE state = 'failed') AS failed
FROM blindbox.claim WHERE tenant_id = :tenant AND state IN ('asked', 'failed')
