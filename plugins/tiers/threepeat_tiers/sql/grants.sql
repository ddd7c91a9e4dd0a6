-- Grants of members who were erased are left out. One whose time is over is over, whether a worker has seen it or not.
SELECT * FROM (
    SELECT id, customer, level, until, reason, revision, changed_at,
           CASE WHEN state = 'open' AND until <= core.now() THEN 'over' ELSE state END AS state
    FROM tiers.floor
    WHERE tenant_id = :tenant AND source = 'granted' AND member_id > 0 AND id < :before::bigint
) f
WHERE (:state::text IS NULL OR state = :state::text) AND strpos(lower(customer), lower(:search::text)) > 0
ORDER BY id DESC LIMIT :most::bigint
