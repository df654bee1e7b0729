"""Sends one message by the client made from the description, and waits for its receipt."""

import os
import time

from smshub_client import AuthenticatedClient
from smshub_client.api.messages import read_message, send_message
from smshub_client.models import Accepted, Message, MessageLane, MessageRequest

client = AuthenticatedClient(base_url=os.environ["SMSHUB_URL"], token=os.environ["SMSHUB_KEY"])
request = MessageRequest(to="0912 345 6789", text="hello", lane=MessageLane.EXPRESS)
accepted = send_message.sync(client=client, body=request)
assert isinstance(accepted, Accepted), accepted

deadline = time.monotonic() + 30
while True:
    message = read_message.sync(client=client, id=accepted.id)
    # Not recorded yet: 404, a problem.
    if isinstance(message, Message) and message.status not in ("queued", "sent"):
        break
    assert time.monotonic() < deadline, message
    time.sleep(0.1)
assert message.price == 1500 and message.currency == "IRR", message
print(message.status)
