INSERT INTO vouchers.voucher (tenant_id, member_id, template_id, source, valid_from, valid_until, issued_at)
VALUES (:tenant, :member::bigint, :template::bigint, 'claim', :valid_from::timestamptz, :valid_until::timestamptz,
        core.now())
RETURNING id
