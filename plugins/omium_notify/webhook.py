"""The notifier `webhook`: a CloudEvent, signed, to an address of yours.

The request is a CloudEvents 1.0 event in structured JSON (https://github.com/cloudevents/spec), signed as Standard
Webhooks say (https://www.standardwebhooks.com): `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 of
`{webhook-id}.{webhook-timestamp}.{body}` under the secret. `webhook-id` is the same when the same notice comes again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from datetime import datetime, timezone
from urllib.parse import urlsplit

import attrs

from omium_core.errors import UsageError
from omium_core.model.notice import Notice

__all__ = ["Address", "post", "signature"]

SECRET = "OMIUM_WEBHOOK_SECRET"
TIMEOUT_S = 5.0
KEY_BYTES_MIN = 16
_MADE = "whsec_"
_HERE = ("localhost", "127.0.0.1", "::1")


@attrs.frozen
class Address:
    """Where to post, and the name of the environment variable that holds the secret."""

    url: str
    variable: str

    @classmethod
    def of(cls, target: str) -> Address:
        """Read `https://host/path` or `https://host/path#NAME_OF_VARIABLE`; raise `UsageError` for anything else."""
        url, _, variable = target.partition("#")
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise UsageError("the notifier `webhook` needs an address, such as `webhook:https://example.org/omium`")
        if parts.scheme == "http" and parts.hostname not in _HERE:
            raise UsageError(f"the webhook at `{parts.hostname}` must be `https`; `http` is for this machine only")
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"the webhook at `{parts.hostname}` has a password in its address; it is signed instead")
        return cls(url, variable or SECRET)

    @property
    def host(self) -> str:
        """The host, which may be shown where the rest of an address may be secret."""
        return urlsplit(self.url).netloc

    def key(self) -> bytes:
        """Return the secret; raise `UsageError` where it is not set or too short. It is never part of a message."""
        text = os.environ.get(self.variable, "")
        if not text:
            raise UsageError(f"the webhook at `{self.host}` needs its secret in the variable `{self.variable}`")
        try:
            key = base64.b64decode(text[len(_MADE) :], validate=True) if text.startswith(_MADE) else text.encode()
        except binascii.Error:
            reason = f"begins with `{_MADE}` and is not base64 after it"
            raise UsageError(f"the secret in `{self.variable}` {reason}") from None
        if len(key) < KEY_BYTES_MIN:
            raise UsageError(f"the secret in `{self.variable}` has fewer than {KEY_BYTES_MIN} bytes; use a longer one")
        return key


def post(target: str, subject: str, message: str, *, notice: Notice | None = None) -> None:
    """Post a notice to `https://host/path` or `https://host/path#NAME_OF_VARIABLE`, which holds the secret.

    Raises what went wrong unless the answer is of the 200s; redirects are not followed.
    """
    address = Address.of(target)
    key = address.key()
    now = time.time()
    body = json.dumps(_event(subject, message, notice, now), ensure_ascii=True).encode()
    id = notice.id if notice is not None else hashlib.sha256(body).hexdigest()
    stamp = str(int(now))
    headers = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "user-agent": "omium",
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(key, id, stamp, body),
    }
    _send(address, headers, body)


def signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` of a request."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _event(subject: str, message: str, notice: Notice | None, now: float) -> dict[str, object]:
    data: dict[str, object] = {"subject": subject, "message": message}
    event = {"specversion": "1.0", "datacontenttype": "application/json"}
    if notice is None:
        facts = {"id": f"{now}", "source": "/omium", "type": "omium.notify", "time": _iso(now)}
        return {**event, **facts, "data": data}
    data |= {
        "kind": notice.kind,
        "channel": notice.channel,
        "execution": notice.execution,
        "workflow": notice.workflow,
        "event": notice.about,
    }
    source = f"/omium/executions/{notice.execution}"
    facts = {"id": notice.id, "source": source, "type": f"omium.{notice.kind}", "time": _iso(notice.at)}
    return {**event, **facts, "subject": notice.workflow, "data": data}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat()


def _send(address: Address, headers: dict[str, str], body: bytes) -> None:
    # An HTTP client is imported by those who bind a webhook, and by nobody else.
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stays(HTTPRedirectHandler):
        """A redirect would send what is signed for one host to another."""

        def redirect_request(self, *_: object) -> None:
            return None

    request = Request(address.url, data=body, headers=headers, method="POST")
    try:
        with build_opener(Stays).open(request, timeout=TIMEOUT_S):
            return
    except HTTPError as error:
        error.close()
        raise ConnectionError(f"`{address.host}` answered {error.code}") from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"`{address.host}` could not be reached: {reason}") from None
