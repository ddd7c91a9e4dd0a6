INSERT INTO groupbuy.team (tenant_id, campaign_id, size, least, fill, taken, joined, joins, price, pickup, slot,
                           opened_at, expires_at)
VALUES (:tenant, :campaign::bigint, :size::bigint, :least::bigint, :fill::bigint, 1, 1, 1, :price::bigint,
        :pickup::text, :slot::text, core.now(), :expires_at::timestamptz)
RETURNING id, state, size, least, joined, joins, expires_at
