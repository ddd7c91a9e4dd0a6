-- A year in which both had a present is one year.
WITH moved AS (
    DELETE FROM birthday.present WHERE tenant_id = :tenant AND member_id = :source
    RETURNING year, given_on, state
)
INSERT INTO birthday.present (tenant_id, member_id, year, given_on, state)
SELECT :tenant, :target, year, given_on, state FROM moved
ON CONFLICT (tenant_id, member_id, year) DO NOTHING
