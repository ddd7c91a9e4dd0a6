-- Paid quotes without the payment of their order, confirmed payments without their quote, and unfinished ones.
SELECT order_id, q.id, p.outcome FROM
    (SELECT id, order_id FROM checkout.quote WHERE tenant_id = :tenant AND state = 'confirmed') q
    FULL JOIN (
        SELECT order_id, quote_id, outcome FROM checkout.payment
        WHERE tenant_id = :tenant AND outcome IN ('confirmed', 'claimed')
    ) p USING (order_id)
WHERE q.id IS DISTINCT FROM p.quote_id OR p.outcome = 'claimed'
