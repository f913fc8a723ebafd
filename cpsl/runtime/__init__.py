"""The process that runs one version of an app for one user: ``python -m cpsl.runtime``.

Nobody imports this package: engines start it by argv and speak ``cpsl.wire.frames`` with it. It loads the standard
library and msgspec only, because every user of every app pays for what is imported here.
"""
