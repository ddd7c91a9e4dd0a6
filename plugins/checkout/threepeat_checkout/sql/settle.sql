UPDATE checkout.payment p SET outcome = g.outcome
FROM unnest(:orders::text[], :outcomes::text[]) AS g (order_id, outcome)
WHERE p.tenant_id = :tenant AND p.order_id = g.order_id AND p.outcome = 'claimed'
RETURNING p.order_id
