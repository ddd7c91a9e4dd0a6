-- Everything that came back of paid quotes, and what was paid.
SELECT p.quote_id, p.total, coalesce(r.amounts, '{}') AS amounts, coalesce(r.units, '{}') AS units
FROM checkout.payment p
LEFT JOIN LATERAL (
    SELECT array_agg(amount ORDER BY refund_id) AS amounts, array_agg(units::text ORDER BY refund_id) AS units
    FROM checkout.refund WHERE tenant_id = :tenant AND quote_id = p.quote_id
) r ON true
WHERE p.tenant_id = :tenant AND p.quote_id = ANY(:quotes::text[]) AND p.outcome = 'confirmed'
