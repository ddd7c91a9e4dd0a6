SELECT count(*) AS offers FROM weatherpack.offer WHERE tenant_id = :tenant AND state = 'open' AND until > :now
