-- Refunds that count as paid back without enough money, or as open although it came.
SELECT id, state, amount, back FROM groupbuy.refund
WHERE tenant_id = :tenant
  AND ((state = 'refunded' AND back < amount) OR (state IN ('asked', 'failed') AND amount > 0 AND back >= amount))
