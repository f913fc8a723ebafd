"""One module a noun: a command parses, calls one verb of the library, and prints through the sink."""
