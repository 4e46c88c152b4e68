"""What the gateway decides, as functions of values: names, routes, admission, scale, keys."""
