-- Open accounts where they are missing, so that every account of the batch can be locked next.
INSERT INTO points.account (tenant_id, member_id, debt)
SELECT :tenant, member_id, 0 FROM unnest(:members::bigint[]) AS member_id ORDER BY member_id
ON CONFLICT DO NOTHING
