"""What plugin authors and Threepeat itself test with: a real platform on a real PostgreSQL."""
