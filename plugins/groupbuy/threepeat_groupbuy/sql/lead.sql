-- If nobody leads some groups, the earliest of those who have paid do; whoever is or was erased only if there is nobody
-- else.
WITH heirs AS (
    SELECT DISTINCT ON (team_id) reservation, bool_or(leads) OVER (PARTITION BY team_id) AS led FROM groupbuy.seat
    WHERE tenant_id = :tenant AND team_id = ANY(:teams::bigint[]) AND state = 'joined'
    ORDER BY team_id, (member_id < 0 OR member_id IS NOT DISTINCT FROM :erased::bigint), place
)
UPDATE groupbuy.seat s SET leads = true FROM heirs h
WHERE s.tenant_id = :tenant AND s.reservation = h.reservation AND NOT h.led
