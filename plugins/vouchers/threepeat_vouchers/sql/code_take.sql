-- The code's voucher, for whoever is first: the others find it taken and get nothing. While it is taken its batch
-- is not voided.
WITH free AS (
    SELECT k.hash, b.template_id FROM vouchers.code k
    JOIN vouchers.batch b ON b.tenant_id = :tenant AND b.id = k.batch_id AND b.state = 'ready'
    WHERE k.tenant_id = :tenant AND k.hash = :hash::text AND k.voucher_id IS NULL
    FOR SHARE OF b FOR UPDATE OF k
), made AS (
    INSERT INTO vouchers.voucher (tenant_id, member_id, template_id, source, valid_from, valid_until, issued_at)
    SELECT :tenant, :member::bigint, f.template_id, 'code', :valid_from::timestamptz, :valid_until::timestamptz,
           core.now()
    FROM free f
    RETURNING id
)
UPDATE vouchers.code k SET voucher_id = m.id FROM made m CROSS JOIN free f
WHERE k.tenant_id = :tenant AND k.hash = f.hash
RETURNING m.id
