"""Signs a request with botocore and prints its Authorization. Standard input: JSON of the request."""
import json
import sys
from datetime import datetime, timezone

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

case = json.load(sys.stdin)
now = datetime.fromtimestamp(case["now"], timezone.utc)
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now.replace(tzinfo=None)


class Frozen(datetime):
    @classmethod
    def utcnow(cls):
        return now.replace(tzinfo=None)


botocore.auth.datetime = getattr(botocore.auth, "datetime", None) and type("module", (), {"datetime": Frozen})
request = AWSRequest(method="POST", url=case["url"], data=case["body"].encode(), headers=case["headers"])
botocore.auth.SigV4Auth(Credentials(case["id"], case["secret"]), "sqs", case["region"]).add_auth(request)
print(request.headers["Authorization"])
