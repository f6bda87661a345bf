"""Checks a request with the reference library. Standard input: JSON of secret, headers and body."""
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
import standardwebhooks.webhooks as module
from datetime import datetime, timezone

case = json.load(sys.stdin)


class Frozen(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(int(case["headers"]["webhook-timestamp"]), timezone.utc)


module.datetime = Frozen
try:
    Webhook(case["secret"]).verify(case["body"], case["headers"])
    print("right")
except WebhookVerificationError as error:
    print("wrong", error)
