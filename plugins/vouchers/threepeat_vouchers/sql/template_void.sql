-- A part of a template's vouchers that are not used. A locked one is void once its order lets go.
WITH part AS (
    SELECT id FROM vouchers.voucher
    WHERE tenant_id = :tenant AND template_id = :id::bigint AND state IN ('issued', 'locked') AND NOT revoked
    LIMIT :most::bigint
), locked AS (
    SELECT v.id FROM vouchers.voucher v JOIN part p ON p.id = v.id
    WHERE v.tenant_id = :tenant AND v.state IN ('issued', 'locked') AND NOT v.revoked
    ORDER BY v.id FOR UPDATE OF v
), voided AS (
    UPDATE vouchers.voucher v
    SET revoked = true, state = CASE WHEN v.state = 'issued' THEN 'void' ELSE v.state END
    FROM locked l WHERE v.tenant_id = :tenant AND v.id = l.id
)
SELECT count(*) AS found FROM part
