SELECT t.plugin, t.rule, count(DISTINCT t.quote_id) AS orders, sum(t.amount + t.shipping)::bigint AS taken,
       sum(t.returned)::bigint AS returned
FROM checkout.payment p JOIN checkout.taken t ON t.tenant_id = :tenant AND t.quote_id = p.quote_id
WHERE p.tenant_id = :tenant AND p.outcome = 'confirmed'
  AND p.paid_at >= :since::timestamptz AND p.paid_at < :until::timestamptz
GROUP BY t.plugin, t.rule ORDER BY taken DESC, t.plugin, t.rule
