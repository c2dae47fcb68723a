"""Signatures of HTTP requests as the drafts before RFC 9421 write them, with HMAC-SHA256: no clock.

    Signature-Input: sig1=("@request-target" "@authority" "x-api-key");keyid="…";created=1641013200
    Signature: sig1=:base64:

What is signed is a line for each component named there, and one for the list of them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALGORITHM = "hmac-sha256"
MOST_AGE_S = 10
MOST_SKEW_S = 3  # by which the signer's clock may be ahead of ours
LEAST_NONCE = 22  # characters: 128 bits in base64
MOST_NONCES = 65_536

_TEXT = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
_NUMBER = r"\d{1,15}"
_COMPONENTS = rf"\( *({_TEXT}(?: +{_TEXT})*) *\)"
_PARAMETER = rf"; *([a-z*][a-z0-9_.*-]*)=({_TEXT}|{_NUMBER})"
_INPUT = re.compile(rf"([a-z*][a-z0-9_.*-]*)={_COMPONENTS}((?:{_PARAMETER})*)")
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):")


class BadSignature(Exception):
    """The request is not signed as it must be; the text is for our own log, not for the sender."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature can be about. The far side's view counts: a proxy may have changed ours."""

    target: str  # path and query
    authority: str  # host, and port where it is not the scheme's own
    headers: Mapping[str, str]  # by their names in lower case


@dataclass(frozen=True, slots=True)
class Signature:
    """What the two headers say; `covered` and `parameters` are as they are signed."""

    covered: tuple[str, ...]
    parameters: Mapping[str, str]  # texts without their quotes
    listed: str  # the value of `@signature-params`
    digest: bytes

    def number(self, name: str) -> int | None:
        """A parameter that is a time."""
        given = self.parameters.get(name)
        return int(given) if given is not None and re.fullmatch(_NUMBER, given) else None


def read_signature(headers: Mapping[str, str]) -> Signature:
    """The request's only signature; one that is written otherwise than by the book is none."""
    what, value = headers.get("signature-input"), headers.get("signature")
    if what is None or value is None:
        raise BadSignature("not signed")
    described, signed = _INPUT.fullmatch(what.strip(" ")), _SIGNATURE.fullmatch(value.strip(" "))
    if described is None or signed is None or described[1] != signed[1]:
        raise BadSignature("Signature-Input and Signature do not describe one signature")
    texts = re.findall(_TEXT, described[2])
    pairs: list[tuple[str, str]] = re.findall(_PARAMETER, described[3])
    parameters = {name: _unquoted(given) for name, given in pairs}
    covered = tuple(map(_unquoted, texts))
    if len(parameters) != len(pairs) or len(set(covered)) != len(covered):
        raise BadSignature("a component or parameter is named twice")
    listed = f"({' '.join(texts)})" + "".join(f";{name}={given}" for name, given in pairs)
    try:
        digest = b64decode(signed[2], validate=True)
    except ValueError:
        raise BadSignature("the signature is not base64") from None
    return Signature(covered, parameters, listed, digest)


def signed_text(request: SignedRequest, covered: Sequence[str], listed: str) -> bytes:
    """What is signed: each component on a line, then what is listed of them."""
    lines = [f'"{name}": {_component(request, name)}' for name in covered]
    return "\n".join([*lines, f'"@signature-params": {listed}']).encode()


def verify(
    request: SignedRequest,
    secrets: Mapping[str, bytes],
    required: Sequence[str],
    now_s: float,
) -> Signature:
    """The signature, if whoever has the key's secret made it, lately, over all that is required.

    `secrets` are by key id. That no nonce comes twice is for `Nonces` to see, behind this.
    """
    signature = read_signature(request.headers)
    if missing := [name for name in required if name not in signature.covered]:
        raise BadSignature(f"not signed: {', '.join(missing)}")
    if signature.parameters.get("alg", ALGORITHM) != ALGORITHM:
        raise BadSignature(f"the algorithm is not {ALGORITHM}")
    if len(signature.parameters.get("nonce", "")) < LEAST_NONCE:
        raise BadSignature(f"the nonce has fewer than {LEAST_NONCE} characters")
    _check_time(signature, now_s)
    secret = secrets.get(signature.parameters.get("keyid", ""))
    text = signed_text(request, signature.covered, signature.listed)
    # An unknown key costs what a known one does, and an empty secret proves nothing.
    wanted = hmac.digest(secret or b"nobody's", text, hashlib.sha256)
    if not hmac.compare_digest(wanted, signature.digest) or not secret:
        raise BadSignature("the signature is not by this key, or not of this request")
    return signature


def sign(
    request: SignedRequest, covered: Sequence[str], parameters: Mapping[str, str | int], key: bytes
) -> dict[str, str]:
    """The two headers that a signer adds."""
    named = " ".join(f'"{name}"' for name in covered)
    given = "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"'
        for name, value in parameters.items()
    )
    text = signed_text(request, covered, f"({named}){given}")
    digest = b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
    return {"Signature-Input": f"sig1=({named}){given}", "Signature": f"sig1=:{digest}:"}


class Nonces:
    """Which nonces came as long as their signatures are believed: bounded, and full it refuses.

    Only nonces of good signatures may be told to it, or anybody could fill it.
    """

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._most = most
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()  # by when they are forgotten

    def take(self, nonce: str, now_s: float) -> None:
        """Remember it; raises `BadSignature` where it came before."""
        while self._order and self._order[0][0] < now_s:
            self._seen.discard(self._order.popleft()[1])
        if nonce in self._seen:
            raise BadSignature("the nonce was used before")
        if len(self._seen) >= self._most:
            raise BadSignature("more requests in a few seconds than nonces can be remembered of")
        self._seen.add(nonce)
        self._order.append((now_s + MOST_AGE_S + MOST_SKEW_S, nonce))


def _check_time(signature: Signature, now_s: float) -> None:
    created, expires = signature.number("created"), signature.number("expires")
    if created is None:
        raise BadSignature("the signature does not say when it was created")
    if created > now_s + MOST_SKEW_S:
        raise BadSignature("the signature comes from the future: compare the clocks")
    if created < now_s - MOST_AGE_S:
        raise BadSignature(f"the signature is older than {MOST_AGE_S} s")
    if "expires" in signature.parameters and (expires is None or expires < now_s):
        raise BadSignature("the signature has expired")


def _component(request: SignedRequest, name: str) -> str:
    match name:
        case "@request-target":
            return request.target
        case "@authority":
            return request.authority
        case _ if name in request.headers:
            return request.headers[name].strip(" \t")
        case _:
            raise BadSignature("signed is what the request does not have")


def _unquoted(given: str) -> str:
    return re.sub(r"\\(.)", r"\1", given[1:-1]) if given.startswith('"') else given
