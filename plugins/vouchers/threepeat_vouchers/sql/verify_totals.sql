-- Templates with a number whose count differs from the vouchers and codes of it, and those that gave too many.
SELECT t.id, t.total, t.issued, o.out FROM vouchers.template t
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM vouchers.voucher
            WHERE tenant_id = :tenant AND template_id = t.id AND source <> 'code')
         + (SELECT coalesce(sum(size), 0) FROM vouchers.batch WHERE tenant_id = :tenant AND template_id = t.id)
) AS o (out)
WHERE t.tenant_id = :tenant AND t.total IS NOT NULL AND (t.issued <> o.out OR o.out > t.total)
