SELECT quote_id, outcome FROM checkout.payment WHERE tenant_id = :tenant AND order_id = :order::text
