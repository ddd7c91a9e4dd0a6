-- Orders and refunds of the next stretch of the log, which is read backwards; within it in its order.
SELECT position, type, member_id, occurred_at, data ->> 'order_id' AS order_id, data ->> 'refund_id' AS refund_id,
       (data ->> 'total')::bigint AS total, (data ->> 'amount')::bigint AS amount
FROM core.event
WHERE tenant_id = :tenant AND member_id IS NOT NULL AND type IN (:paid::text, :refunded::text)
  AND position <= (SELECT learn_after FROM tiers.store WHERE tenant_id = :tenant)
  AND position > (SELECT learn_after - :most::bigint FROM tiers.store WHERE tenant_id = :tenant)
ORDER BY position
