"""People of apps: how they sign up, in and out, by password or at a provider, and how an operator looks after them."""
