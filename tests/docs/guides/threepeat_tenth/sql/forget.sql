UPDATE tenth.purchase SET counts = false WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) AND counts
