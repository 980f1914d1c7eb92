"""HTTP: requests, retries, rate limits and responses."""
