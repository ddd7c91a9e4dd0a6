SELECT draw_no, body, signature FROM blindbox.draw
WHERE tenant_id = :tenant AND series_id = :series::bigint AND draw_no > :after::bigint
ORDER BY draw_no LIMIT :most::bigint
