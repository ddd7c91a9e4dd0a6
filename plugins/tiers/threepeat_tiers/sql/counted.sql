-- Whether a kind of interaction counts by any version under which somebody stands.
SELECT EXISTS (
    SELECT FROM tiers.version v
    WHERE v.tenant_id = :tenant
      AND v.rules -> 'interactions' @> jsonb_build_array(jsonb_build_object('kind', :kind::text))
      AND EXISTS (SELECT FROM tiers.standing s WHERE s.tenant_id = :tenant AND s.version = v.number)
) AS counted
