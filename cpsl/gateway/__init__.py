"""The gateway: the server that hosts the apps. HTTP API, pages, vault, store, in one process.

Folders by subject; inside each, ``routes`` (wire in, wire out), ``service`` (the rules) and ``store`` (SQL, as
functions of a connection). Subjects point one way: accounts <- secrets, files, channels <- apps <- integrations,
collections <- chats <- web. ``db``, ``http``, ``vault`` and ``settings`` lie below them all; ``gateway.Gateway``
puts them together.
"""
