SELECT public_key FROM blindbox.signer WHERE tenant_id = :tenant FOR NO KEY UPDATE
