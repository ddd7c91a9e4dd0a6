WITH holds AS (
    UPDATE blindbox.hold SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), boxes AS (
    UPDATE blindbox.box SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), chances AS (
    UPDATE blindbox.chance SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), claims AS (
    UPDATE blindbox.claim SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), refunds AS (
    UPDATE blindbox.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), nonces AS (
    DELETE FROM blindbox.nonce WHERE tenant_id = :tenant AND member_id = :source RETURNING order_id, nonce, given_at
), kept AS (
    INSERT INTO blindbox.nonce (tenant_id, member_id, order_id, nonce, given_at)
    SELECT :tenant, :target, order_id, nonce, given_at FROM nonces
    ON CONFLICT (tenant_id, member_id, order_id) DO NOTHING
), words AS (
    DELETE FROM blindbox.declaration WHERE tenant_id = :tenant AND member_id = :source
    RETURNING kind, text_version, declared_at
)
INSERT INTO blindbox.declaration AS d (tenant_id, member_id, kind, text_version, declared_at)
SELECT :tenant, :target, kind, text_version, declared_at FROM words
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    kind = excluded.kind, text_version = excluded.text_version, declared_at = excluded.declared_at
WHERE excluded.declared_at > d.declared_at
