-- A part of a batch's codes. Nobody's form is overtaken by it, so the revision stays.
WITH made AS (
    INSERT INTO vouchers.code (tenant_id, hash, batch_id, number)
    SELECT :tenant, hash, :id::bigint, :first::bigint + place - 1
    FROM unnest(:hashes::text[]) WITH ORDINALITY AS h (hash, place)
    ORDER BY hash
)
UPDATE vouchers.batch
SET made = :last::bigint, state = CASE WHEN :last::bigint = size THEN 'ready' ELSE state END, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND made = :first::bigint - 1
