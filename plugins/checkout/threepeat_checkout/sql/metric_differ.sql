SELECT p.order_id, q.total AS quoted, p.total AS paid FROM checkout.payment p
JOIN checkout.quote q ON q.tenant_id = :tenant AND q.id = p.quote_id
WHERE p.tenant_id = :tenant AND p.outcome = 'confirmed' AND p.total <> q.total
  AND p.paid_at >= :since::timestamptz AND p.paid_at < :until::timestamptz
ORDER BY p.paid_at DESC, p.order_id LIMIT :most::bigint
