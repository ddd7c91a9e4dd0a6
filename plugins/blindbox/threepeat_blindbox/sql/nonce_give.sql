WITH mine AS (
    INSERT INTO blindbox.nonce AS n (tenant_id, member_id, order_id, nonce, given_at)
    VALUES (:tenant, :member::bigint, :order::text, :nonce::text, core.now())
    ON CONFLICT (tenant_id, member_id, order_id) DO UPDATE SET given_at = n.given_at
    RETURNING nonce
)
SELECT nonce FROM mine
