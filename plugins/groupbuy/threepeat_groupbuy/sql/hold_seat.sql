-- A seat for an order. Its member is locked, so that what the member has by now is all; one open group of a campaign
-- for each member is the index's to see.
INSERT INTO groupbuy.seat (tenant_id, reservation, member_id, campaign_id, team_id, leads, units, price, amount,
                           reduction, total, fresh, held_at, until)
SELECT :tenant, :reservation::text, :member::bigint, :campaign::bigint, :team::bigint, :leads::boolean,
       :units::bigint, :price::bigint, :amount::bigint, :reduction::bigint, :total::bigint, :fresh::boolean,
       core.now(), :until::timestamptz
WHERE :most::bigint IS NULL OR :units::bigint <= :most::bigint - coalesce((
    SELECT sum(units) FROM groupbuy.seat
    WHERE tenant_id = :tenant AND member_id = :member::bigint AND campaign_id = :campaign::bigint
      AND state IN ('held', 'joined', 'succeeded')
), 0)
ON CONFLICT DO NOTHING
RETURNING reservation
