SELECT member_id, held FROM sampler.purse WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND held > 0
