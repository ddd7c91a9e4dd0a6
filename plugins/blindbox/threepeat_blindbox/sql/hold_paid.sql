-- The order was paid. If it was drawn for or paid back already, its places are not needed.
WITH settled AS (
    SELECT EXISTS (SELECT FROM blindbox.box WHERE tenant_id = :tenant AND order_id = :order::text
                   AND series_id = :series::bigint)
        OR EXISTS (SELECT FROM blindbox.claim WHERE tenant_id = :tenant AND order_id = :order::text
                   AND series_id = :series::bigint) AS already
)
UPDATE blindbox.hold h
SET state = CASE WHEN d.already THEN 'released' ELSE 'paid' END, order_id = :order::text
FROM settled d
WHERE h.tenant_id = :tenant AND h.reservation = :reservation::text AND h.series_id = :series::bigint AND h.state = 'held'
RETURNING h.member_id, h.series_id, h.day, h.boxes, h.money, h.state
