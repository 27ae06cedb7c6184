"""The trail: durable before data moves, chained, and without any content."""
