UPDATE baskets.basket SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
