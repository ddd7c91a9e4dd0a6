INSERT INTO diary.page (tenant_id, search, words)
SELECT :tenant, search, words FROM unnest(:searches::text[], :words::text[]) AS given (search, words)
ON CONFLICT (tenant_id, search) DO NOTHING
