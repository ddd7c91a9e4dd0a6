-- How a member stands in a campaign, and how a group of it does.
SELECT m.units, m.mine, t.state, t.taken, t.size, t.expires_at, t.pickup, t.slot
FROM (
    SELECT coalesce(sum(units), 0)::bigint AS units,
           coalesce(bool_or(state IN ('held', 'joined') AND NOT merged), false) AS mine
    FROM groupbuy.seat
    WHERE tenant_id = :tenant AND member_id = :member::bigint AND campaign_id = :campaign::bigint
      AND state IN ('held', 'joined', 'succeeded')
) m LEFT JOIN groupbuy.team t
    ON t.tenant_id = :tenant AND t.id = :group::bigint AND t.campaign_id = :campaign::bigint
