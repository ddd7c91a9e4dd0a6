-- Offers that still live, and those whose reward is owed.
SELECT kind, amount, item, offered_at, until, state FROM winback.offer
WHERE tenant_id = :tenant AND member_id = :member
  AND (state = 'owed' OR (state = 'open' AND until > core.now()))
ORDER BY id
