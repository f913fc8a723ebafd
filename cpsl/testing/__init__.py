"""Run an app in the tests of its own project: no server, no port, no deploy; the client is the real one.

    from cpsl.testing import Gateway

    with Gateway(app, secrets={"OPENAI_API_KEY": "x"}) as gateway:
        assert gateway.client().chat(app.name, "hi").text == "hello"

The app runs in this process, in the code that runs it everywhere; what it says and asks goes through the same structs.
Left out is what a machine is needed for: the image, the sandbox, limits, mounts.
"""

from cpsl.testing.gateway import Gateway

__all__ = ["Gateway"]
