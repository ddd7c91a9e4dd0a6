INSERT INTO blindbox.stock AS s (tenant_id, series_id, item, put)
SELECT :tenant, :series::bigint, g.item, g.put FROM unnest(:items::text[], :puts::bigint[]) AS g (item, put)
ON CONFLICT (tenant_id, series_id, item) DO UPDATE SET put = excluded.put
