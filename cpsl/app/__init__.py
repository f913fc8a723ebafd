"""What user code imports through ``cpsl``: ``App``, ``Session``, ``Secret``, ``FileSystem`` …

It asks a ``Bridge`` for what it needs of whoever runs it, and imports neither the client nor the gateway.
"""
