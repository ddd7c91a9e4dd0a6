SELECT count(*) AS offered, count(*) FILTER (WHERE state <> 'open') AS bought FROM weatherpack.offer
WHERE tenant_id = :tenant AND offered_at >= :since AND offered_at < :until
