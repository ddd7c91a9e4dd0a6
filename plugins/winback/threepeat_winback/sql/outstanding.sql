-- Offers that still live, and promised rewards that could not be given yet; erased members claim nothing.
SELECT count(*) FILTER (WHERE state = 'open' AND until > core.now()) AS living,
       count(*) FILTER (WHERE state = 'owed') AS owed
FROM winback.offer WHERE tenant_id = :tenant AND member_id > 0
