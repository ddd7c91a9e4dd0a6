SELECT (SELECT coalesce(sum(boxes), 0) FROM blindbox.hold
        WHERE tenant_id = :tenant AND state IN ('held', 'paid') AND member_id > 0)::bigint AS held,
       (SELECT count(*) FROM blindbox.box
        WHERE tenant_id = :tenant AND state = 'waiting' AND member_id > 0) AS waiting,
       (SELECT count(*) FROM blindbox.chance c
        JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = c.series_id AND s.state = 'on_sale'
        WHERE c.tenant_id = :tenant AND c.state = 'open' AND c.valid_until > core.now()
          AND c.member_id > 0) AS chances,
       (SELECT count(*) FROM blindbox.claim
        WHERE tenant_id = :tenant AND state = 'asked' AND member_id > 0) AS owed
