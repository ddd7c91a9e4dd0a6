SELECT id, kind, points, reference, occurred_at FROM points.entry
WHERE tenant_id = :tenant AND member_id = :member AND id < :before
ORDER BY id DESC LIMIT :most
