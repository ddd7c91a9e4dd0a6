-- What changed a member's points, and what was unlocked; a debt that was paid and a transfer of books change none.
SELECT id, kind, CASE WHEN kind = 'unlocked' THEN available ELSE points END AS points, reference, occurred_at
FROM points.entry
WHERE tenant_id = :tenant AND member_id = :member AND id < :before AND (points <> 0 OR kind = 'unlocked')
ORDER BY id DESC LIMIT :most
