-- Open groups with a free seat of campaigns in which the member has none, those that end first.
SELECT t.id, t.campaign_id, c.name, c.sku, c.form, t.price, t.state, t.size, t.least, t.taken, t.joined, t.expires_at,
       t.pickup, t.slot, (c.form ->> 'new_only')::boolean AS new_only, false AS mine, false AS busy
FROM groupbuy.team t JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = t.campaign_id
WHERE t.tenant_id = :tenant AND t.state = 'open' AND t.taken < t.size AND t.expires_at > core.now()
  AND (:campaign::bigint IS NULL OR t.campaign_id = :campaign::bigint)
  AND (:is_new::boolean OR NOT (c.form ->> 'new_only')::boolean)
  AND NOT EXISTS (SELECT FROM groupbuy.seat s
                  WHERE s.tenant_id = :tenant AND s.member_id = :member::bigint AND s.campaign_id = t.campaign_id
                    AND s.state IN ('held', 'joined') AND (s.team_id = t.id OR NOT s.merged))
ORDER BY t.expires_at, t.id LIMIT :most::bigint
