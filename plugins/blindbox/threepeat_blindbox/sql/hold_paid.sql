-- The order was paid. If it was drawn for already, its boxes have places of their own, and these are free.
WITH drawn AS (
    SELECT EXISTS (SELECT FROM blindbox.box WHERE tenant_id = :tenant AND order_id = :order::text
                   AND series_id = :series::bigint) AS already
), mine AS (
    UPDATE blindbox.hold h
    SET state = CASE WHEN d.already THEN 'released' ELSE 'paid' END, order_id = :order::text
    FROM drawn d
    WHERE h.tenant_id = :tenant AND h.reservation = :reservation::text AND h.series_id = :series::bigint
      AND h.state = 'held'
    RETURNING h.series_id, h.member_id, h.day, h.boxes, h.money, h.state
), freed AS (
    UPDATE blindbox.spending p SET boxes = p.boxes - m.boxes, money = p.money - m.money FROM mine m
    WHERE p.tenant_id = :tenant AND p.member_id = m.member_id AND p.series_id = m.series_id AND p.day = m.day
      AND m.state = 'released'
), free AS (
    UPDATE blindbox.series s SET held = s.held - m.boxes FROM mine m
    WHERE s.tenant_id = :tenant AND s.id = m.series_id AND m.state = 'released'
)
SELECT m.series_id, m.state, s.state = 'ending' AS ending FROM mine m
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = m.series_id
