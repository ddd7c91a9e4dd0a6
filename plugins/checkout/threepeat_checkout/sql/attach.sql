UPDATE checkout.refund r SET quote_id = g.quote_id
FROM unnest(:refunds::text[], :quotes::text[]) AS g (refund_id, quote_id)
WHERE r.tenant_id = :tenant AND r.refund_id = g.refund_id AND r.quote_id IS NULL
