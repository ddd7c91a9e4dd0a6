DELETE FROM blindbox.nonce WHERE tenant_id = :tenant AND given_at < core.now() - interval '60 days'
