"""Signing in to apps at an OpenID provider (https://openid.net/specs/openid-connect-core-1_0.html)."""
