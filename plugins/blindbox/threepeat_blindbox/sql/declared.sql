SELECT 1 FROM blindbox.declaration
WHERE tenant_id = :tenant AND member_id = :member::bigint AND text_version = :version::text
