SELECT until FROM weatherpack.offer
WHERE tenant_id = :tenant AND member_id = :member AND state = 'open' AND until > :now
ORDER BY until LIMIT 1
