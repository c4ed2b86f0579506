"""What channels with pages and a JSON interface of their own share: language, colours, origins, problem details."""
