-- One offer for each of these members, with its terms.
WITH woken AS (
    UPDATE winback.activity SET offers = offers + 1
    WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
    RETURNING member_id, last_at
)
INSERT INTO winback.offer (tenant_id, member_id, slept_since, offered_at, until, kind, amount, item, state)
SELECT :tenant, member_id, last_at, core.now(), :until::timestamptz, :kind::text, :amount::bigint,
       :item::text, 'open'
FROM woken ORDER BY member_id
RETURNING id, member_id
