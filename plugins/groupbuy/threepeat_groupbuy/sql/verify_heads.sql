-- Open groups that nobody leads, or several.
SELECT t.id, s.heads FROM groupbuy.team t
CROSS JOIN LATERAL (
    SELECT count(*) AS heads FROM groupbuy.seat
    WHERE tenant_id = :tenant AND team_id = t.id AND state = 'joined' AND leads
) s
WHERE t.tenant_id = :tenant AND t.state = 'open' AND s.heads <> 1
