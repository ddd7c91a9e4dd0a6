SELECT order_id, outcome, total FROM checkout.payment
WHERE tenant_id = :tenant AND outcome IN ('gone', 'stranger', 'taken')
  AND paid_at >= :since::timestamptz AND paid_at < :until::timestamptz
ORDER BY paid_at DESC, order_id LIMIT :most::bigint
