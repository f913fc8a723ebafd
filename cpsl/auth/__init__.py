"""Who you are to a gateway: the token store, the resolver of credentials, the login protocols. Silent, without HTTP."""

from cpsl.auth.resolve import Credentials, from_environment, resolve

__all__ = ["Credentials", "from_environment", "resolve"]
