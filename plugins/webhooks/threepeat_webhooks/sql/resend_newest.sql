SELECT max(greatest(received_at, occurred_at)) AS newest FROM core.event
WHERE tenant_id = :tenant AND position > :low::bigint AND position <= :high::bigint
