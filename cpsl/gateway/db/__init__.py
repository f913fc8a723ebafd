"""The store: schema, migrations, and the one way in: pass a function of a connection."""
