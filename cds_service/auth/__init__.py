"""Who may call (JWT, JWKS, replay) and where we may call for them."""
