SELECT reservation, member_id, campaign_id, team_id, state, leads, moved FROM groupbuy.seat
WHERE tenant_id = :tenant AND reservation = :reservation::text
