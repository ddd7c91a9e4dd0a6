SELECT id, campaign_id FROM groupbuy.team
WHERE tenant_id = :tenant AND campaign_id = ANY(:campaigns::bigint[]) AND state = 'open'
