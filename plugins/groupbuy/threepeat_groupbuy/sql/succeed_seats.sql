WITH seats AS (
    UPDATE groupbuy.seat s SET state = 'succeeded' FROM groupbuy.team t
    WHERE s.tenant_id = :tenant AND s.team_id = ANY(:teams::bigint[]) AND s.state = 'joined'
      AND t.tenant_id = :tenant AND t.id = s.team_id AND t.state = 'succeeded'
    RETURNING s.reservation, s.member_id, s.campaign_id, s.team_id, s.order_id, s.leads, s.units, s.price, s.amount,
              s.reduction, s.returned, t.joined, t.virtual, t.pickup, t.slot
)
SELECT * FROM seats ORDER BY team_id, leads DESC, reservation
