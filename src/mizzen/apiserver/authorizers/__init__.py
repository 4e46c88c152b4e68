"""One file each with an `AUTHORIZER`: called with the Context, it returns an `Authorizer`
(authorization.py). Deliberately lacks: who somebody is."""
