SELECT quote_id, number, returned FROM checkout.taken
WHERE tenant_id = :tenant AND quote_id = ANY(:quotes::text[]) ORDER BY quote_id, number
