-- If nobody leads a group, the earliest of those who have paid does.
UPDATE groupbuy.seat SET leads = true
WHERE tenant_id = :tenant AND team_id = :team::bigint AND state = 'joined' AND place = (
    SELECT min(place) FROM groupbuy.seat
    WHERE tenant_id = :tenant AND team_id = :team::bigint AND state = 'joined'
    HAVING NOT bool_or(leads)
)
