-- When members' orders were completed, as far as it was reported before their payment.
SELECT c.order_id, c.completed_at FROM unnest(:orders::text[], :members::bigint[]) AS g (order_id, member_id)
JOIN points.completion c ON c.tenant_id = :tenant AND c.order_id = g.order_id AND c.member_id = g.member_id
