-- More boxes for a member on a day. The row is the limit: where it does not change, there were enough.
INSERT INTO blindbox.spending AS p (tenant_id, member_id, series_id, day, boxes, money)
SELECT :tenant, :member::bigint, s.id, :day::date, :boxes::bigint, :money::bigint FROM blindbox.series s
WHERE s.tenant_id = :tenant AND s.id = :series::bigint
  AND (s.daily_boxes IS NULL OR :boxes::bigint <= s.daily_boxes)
  AND (s.daily_money IS NULL OR :money::bigint <= s.daily_money)
ON CONFLICT (tenant_id, member_id, series_id, day) DO UPDATE SET
    boxes = p.boxes + excluded.boxes, money = p.money + excluded.money
WHERE EXISTS (SELECT FROM blindbox.series s
              WHERE s.tenant_id = :tenant AND s.id = :series::bigint
                AND (s.daily_boxes IS NULL OR p.boxes + excluded.boxes <= s.daily_boxes)
                AND (s.daily_money IS NULL OR p.money + excluded.money <= s.daily_money))
RETURNING p.boxes
