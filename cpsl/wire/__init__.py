"""What travels: the same typed structs at every hop, so nobody describes a message twice.

One module a noun; msgspec Structs only, no I/O and no policy. JSON on HTTP and in the store, msgpack between the
gateway and its runtimes. Unknown fields are ignored on reading, so that an older reader understands a newer writer.
"""
