-- Offers by the day on which they were made, and by the day on which an order came.
WITH made AS (
    SELECT (offered_at AT TIME ZONE :zone::text)::date AS day, count(*) AS offers FROM winback.offer
    WHERE tenant_id = :tenant AND offered_at >= :since::timestamptz AND offered_at < :until::timestamptz GROUP BY 1
), came AS (
    SELECT (paid_at AT TIME ZONE :zone::text)::date AS day, count(*) AS orders FROM winback.offer
    WHERE tenant_id = :tenant AND offered_at >= :since::timestamptz - interval '61 days'
      AND paid_at >= :since::timestamptz AND paid_at < :until::timestamptz GROUP BY 1
)
SELECT day, coalesce(offers, 0) AS offers, coalesce(orders, 0) AS orders FROM made FULL JOIN came USING (day)
