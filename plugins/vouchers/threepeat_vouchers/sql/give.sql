-- Rewards as vouchers, each grant as many as it says.
INSERT INTO vouchers.voucher (tenant_id, member_id, template_id, source, grant_key, number, valid_from, valid_until,
                              issued_at)
SELECT :tenant, g.member_id, g.template_id, 'reward', g.key, n, g.valid_from, g.valid_until, core.now()
FROM unnest(:keys::text[], :members::bigint[], :templates::bigint[], :amounts::bigint[], :begins::timestamptz[],
            :ends::timestamptz[]) AS g (key, member_id, template_id, amount, valid_from, valid_until)
CROSS JOIN LATERAL generate_series(1, g.amount) AS n
ORDER BY g.key, n
