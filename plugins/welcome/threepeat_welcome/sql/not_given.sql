SELECT count(*) AS gifts FROM welcome.gift
WHERE tenant_id = :tenant AND state <> 'given'
  AND decided_at >= :since::timestamptz AND decided_at < :until::timestamptz
