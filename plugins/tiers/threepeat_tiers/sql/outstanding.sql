-- Bought tiers that still run, and promised rewards that could not be given yet; erased members claim nothing.
SELECT (SELECT count(*) FROM tiers.floor
        WHERE tenant_id = :tenant AND source = 'paid' AND state = 'open' AND until > core.now()
          AND member_id > 0) AS floors,
       (SELECT count(*) FROM tiers.gift WHERE tenant_id = :tenant AND state = 'owed' AND member_id > 0) AS gifts
