-- Promises that still run, and promised rewards that could not be given yet; erased members claim nothing.
SELECT (SELECT count(*) FROM welcome.newcomer
        WHERE tenant_id = :tenant AND member_id > 0 AND second_order_id IS NULL
          AND second_until > core.now())::bigint AS promises,
       (SELECT count(*) FROM welcome.gift WHERE tenant_id = :tenant AND member_id > 0 AND state = 'owed') AS owed
