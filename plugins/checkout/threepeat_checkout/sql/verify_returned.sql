-- Reductions of which more came back than was taken, or something of an order that nobody sent back.
SELECT t.quote_id, t.number, t.returned FROM checkout.taken t
JOIN checkout.quote q ON q.tenant_id = :tenant AND q.id = t.quote_id
WHERE t.tenant_id = :tenant AND t.returned > 0
  AND (t.returned > t.amount + t.shipping OR q.state <> 'confirmed'
       OR NOT EXISTS (SELECT FROM checkout.refund r WHERE r.tenant_id = :tenant AND r.quote_id = q.id))
