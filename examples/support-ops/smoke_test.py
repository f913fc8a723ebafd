"""Run after a deploy: is the app there, does it answer, does it keep the conversation?"""

import cpsl

with cpsl.Client() as client:
    first = client.chat("support-ops", "How many threads are waiting for review right now?")
    second = client.chat("support-ops", "Turn that into a two-step triage plan.", session_id=first.session_id)

assert first.text.strip()
assert second.text.strip()
assert first.session_id == second.session_id
print("smoke test passed")  # noqa: T201
