-- Lines of the journal that do not add up to zero, or say something else than their accounts.
SELECT id, kind, points FROM points.entry
WHERE tenant_id = :tenant AND (available + pending + debt + liability + expense + breakage <> 0
                               OR points <> available + pending + debt)
