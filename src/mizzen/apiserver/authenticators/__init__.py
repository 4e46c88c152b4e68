"""One file each with an `AUTHENTICATOR`: called with the Context, it returns an `Authenticator`
(authentication.py). Deliberately lacks: what a user may do."""
