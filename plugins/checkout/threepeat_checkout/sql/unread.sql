-- Quotes with a payment in the log that was not looked at yet, among the last events of each member.
SELECT DISTINCT e.data ->> 'reservation_id' AS id
FROM unnest(:members::bigint[]) AS m (member_id)
CROSS JOIN LATERAL (
    SELECT type, data FROM core.event
    WHERE tenant_id = :tenant AND member_id = m.member_id
    ORDER BY position DESC LIMIT 1000
) e
WHERE e.type = :payment::text AND e.data ->> 'reservation_id' = ANY(:ids::text[])
  AND NOT EXISTS (SELECT FROM checkout.payment p
                  WHERE p.tenant_id = :tenant AND p.order_id = e.data ->> 'order_id')
