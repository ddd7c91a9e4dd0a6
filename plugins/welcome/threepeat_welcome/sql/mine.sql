-- A member's own row; without one all of it is empty but whether the tactic welcomes newcomers now.
SELECT n.registered_at, n.welcomed_at, n.second_kind, n.second_amount, n.second_item, n.second_until,
       n.welcomed_at IS NOT NULL AND n.second_order_id IS NULL AND n.second_until > core.now() AS second_due,
       o.opened_at, o.is_open
FROM welcome.opening o
LEFT JOIN welcome.newcomer n ON n.tenant_id = o.tenant_id AND n.member_id = :member
WHERE o.tenant_id = :tenant
