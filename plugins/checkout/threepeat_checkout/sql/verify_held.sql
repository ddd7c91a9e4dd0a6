-- Held and paid quotes whose reductions do not come to what the price fell by, or that were never held.
SELECT q.id, q.before - q.total AS fell, sum(t.amount + t.shipping) AS taken
FROM checkout.quote q LEFT JOIN checkout.taken t ON t.tenant_id = :tenant AND t.quote_id = q.id
WHERE q.tenant_id = :tenant AND q.state IN ('reserved', 'confirmed')
GROUP BY q.id, q.before, q.total, q.times
HAVING q.before - q.total <> coalesce(sum(t.amount + t.shipping), 0) OR q.times = 0
