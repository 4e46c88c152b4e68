"""The gateway's decisions, as functions of values: names, routes, admission, scale, keys."""
