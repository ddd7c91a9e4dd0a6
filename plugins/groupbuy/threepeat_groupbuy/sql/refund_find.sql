SELECT r.id, r.member_id, r.order_id, r.reason, r.amount, r.state, r.back, r.times, r.problem, r.revision,
       r.changed_at, s.team_id
FROM groupbuy.refund r LEFT JOIN groupbuy.seat s ON s.tenant_id = :tenant AND s.reservation = r.reservation
WHERE r.tenant_id = :tenant AND r.id < :before::bigint AND (:state::text IS NULL OR r.state = :state::text)
  AND strpos(lower(r.order_id), lower(:search::text)) > 0
ORDER BY r.id DESC LIMIT :most::bigint
