-- Groups whose counts are not those of their seats, or that hold more than they can.
SELECT t.id, t.taken, t.joined, t.size, s.seats, s.paid FROM groupbuy.team t
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state IN ('held', 'joined', 'succeeded', 'failed')) AS seats,
           count(*) FILTER (WHERE state IN ('joined', 'succeeded', 'failed')) AS paid
    FROM groupbuy.seat WHERE tenant_id = :tenant AND team_id = t.id
) s
WHERE t.tenant_id = :tenant AND (t.taken <> s.seats OR t.joined <> s.paid OR t.taken > t.size)
