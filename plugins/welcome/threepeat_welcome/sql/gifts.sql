SELECT part, kind, amount, item, state, taken, decided_at FROM welcome.gift
WHERE tenant_id = :tenant AND member_id = :member AND state <> 'missed' ORDER BY id
