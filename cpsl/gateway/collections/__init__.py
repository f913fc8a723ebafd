"""Collections: the documents of an app, each in the scope that its collection declares."""
