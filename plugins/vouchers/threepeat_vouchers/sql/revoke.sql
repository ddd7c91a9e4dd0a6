-- Take so many of each grant back, first those that are not in any order. A locked one is void once it is released.
WITH wanted AS (
    SELECT * FROM unnest(:keys::text[], :amounts::bigint[]) AS g (key, amount)
), locked AS (
    SELECT v.id, v.grant_key, v.number, v.state FROM vouchers.voucher v
    WHERE v.tenant_id = :tenant AND v.grant_key = ANY(:keys::text[]) AND NOT v.revoked
    ORDER BY v.id FOR UPDATE
), ranked AS (
    SELECT l.id, w.amount, row_number() OVER (
        PARTITION BY l.grant_key ORDER BY l.state <> 'issued', l.state <> 'locked', l.number
    ) AS n
    FROM locked l JOIN wanted w ON w.key = l.grant_key
)
UPDATE vouchers.voucher v SET revoked = true, state = CASE WHEN v.state = 'issued' THEN 'void' ELSE v.state END
FROM ranked r WHERE v.tenant_id = :tenant AND v.id = r.id AND r.n <= r.amount
