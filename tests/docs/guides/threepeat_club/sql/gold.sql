SELECT member_id, since FROM club.gold WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
