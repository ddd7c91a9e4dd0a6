INSERT INTO wall.quote (tenant_id, review, author, said)
SELECT :tenant, review, author, said
FROM unnest(:reviews::text[], :authors::text[], :texts::text[]) AS given (review, author, said)
ON CONFLICT (tenant_id, review) DO NOTHING
