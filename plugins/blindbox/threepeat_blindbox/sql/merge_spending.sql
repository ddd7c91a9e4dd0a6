WITH gone AS (
    DELETE FROM blindbox.spending WHERE tenant_id = :tenant AND member_id = :source
    RETURNING series_id, day, boxes, money
)
INSERT INTO blindbox.spending AS p (tenant_id, member_id, series_id, day, boxes, money)
SELECT :tenant, :target, series_id, day, boxes, money FROM gone
ON CONFLICT (tenant_id, member_id, series_id, day) DO UPDATE SET
    boxes = p.boxes + excluded.boxes, money = p.money + excluded.money, merged = true
