-- Groups that are open long after their time; orders are held for a day at most.
SELECT id, expires_at FROM groupbuy.team
WHERE tenant_id = :tenant AND state = 'open' AND expires_at < core.now() - interval '26 hours'
