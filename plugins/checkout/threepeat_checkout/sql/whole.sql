UPDATE checkout.quote SET whole = true, changed_at = core.now()
WHERE tenant_id = :tenant AND id = ANY(:ids::text[]) AND state = 'confirmed' AND NOT whole
RETURNING id
