SELECT coalesce(sum(greatest(amount - back, 0)), 0)::bigint AS amount,
       coalesce(bool_or(state = 'failed'), false) AS late
FROM groupbuy.refund WHERE tenant_id = :tenant AND state IN ('asked', 'failed')
