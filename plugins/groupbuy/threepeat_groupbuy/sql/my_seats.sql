-- Seats of a member, the newest first, with their groups and refunds.
SELECT s.reservation, s.team_id, s.campaign_id, c.name, s.order_id, s.state, s.leads, s.moved, t.joined, t.least,
       t.expires_at, r.amount AS refund, r.state AS refund_state
FROM groupbuy.seat s
JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = s.campaign_id
LEFT JOIN groupbuy.team t ON t.tenant_id = :tenant AND t.id = s.team_id
LEFT JOIN groupbuy.refund r ON r.tenant_id = :tenant AND r.reservation = s.reservation
WHERE s.tenant_id = :tenant AND s.member_id = :member::bigint AND s.state <> 'released'
  AND (:team::bigint IS NULL OR s.team_id = :team::bigint)
ORDER BY s.held_at DESC, s.reservation LIMIT :most::bigint
