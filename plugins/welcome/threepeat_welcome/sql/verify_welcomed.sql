-- Gifts whose member was never welcomed, and rewards for a second order that nobody made.
SELECT t.id, t.part FROM welcome.gift t
LEFT JOIN welcome.newcomer n ON n.tenant_id = t.tenant_id AND n.member_id = t.member_id
WHERE t.tenant_id = :tenant
  AND (n.welcomed_at IS NULL OR (t.part = 'second' AND n.second_order_id IS NULL))
